import type { Explanation } from './explanations.ts';

/** Differences that stay, each with its reason. Those that are Coxswain's to mend are in open.tsv, one by one. */
export const explained: Explanation[] = [
  {
    request: '*',
    path: 'body.columnDefinitions.*.description',
    why: "Descriptions are upstream's sentences, which are not copied.",
  },
  {
    request: '*',
    path: 'body.*',
    upstream: null,
    coxswain: [],
    why: 'Go writes null for a list that nobody set; an empty list says the same and is a list for those who read it.',
  },
  {
    request: '*/create empty *',
    path: 'body.metadata.managedFields*',
    why: 'For the same reason an empty list that a client sends is not a change that he made.',
  },
  { request: 'verbs csinodes*', path: 'body.*managedFields*', why: 'The same: its change is an empty list.' },
  { request: 'verbs roles.rbac v1/*', path: 'body.*', why: 'The same: its change is an empty list.' },
  { request: 'verbs *csinodes* v1/* strict', path: 'body.*', why: 'The same: the object that is quoted has managed fields.' },
  { request: 'verbs *csinodes* v1/* wrong type', path: 'body.*', why: 'The same: the object that is quoted has managed fields.' },
  {
    request: 'verbs ipaddresses*table*',
    path: 'body.rows.0.cells',
    why: "Upstream's rows have a cell that no column names.",
  },
  {
    request: '*/apply garbage',
    path: 'body.message',
    why: 'What is wrong with a YAML text is said in the words of its reader; the line and what goes before are the same.',
  },
  {
    request: '* twice *ports*',
    path: 'body.message',
    why: "The message shows a port as upstream's internal type has it, with names that its API does not have.",
  },
  {
    request: 'rich job/* spec.completions',
    path: '*',
    why: 'Upstream ends the request with a panic on an indexed Job without completions and with a success policy; here it is refused.',
  },
  {
    request: 'roles/bind *',
    path: '*',
    why: "Without controllers, upstream's aggregated roles hold no rules, so that everybody may bind them; here they have theirs from the start.",
  },
  {
    request: 'roles/bootstrap *',
    path: 'body.rules*',
    why: 'Aggregated roles have their rules from the start; upstream waits for a controller.',
  },
  { request: 'roles/priority class', path: 'body.description', why: "Descriptions are upstream's sentences, which are not copied." },
  {
    request: 'verbs flowschemas*',
    path: '*',
    why: 'Upstream marks dangling flow schemas in its own time, so that its answers differ from run to run.',
  },
  {
    request: 'verbs apiservices*',
    path: '*',
    why: 'Both servers write the availability of an API in their own time, so that answers differ from run to run.',
  },
  {
    request: 'verbs customresourcedefinitions*',
    path: '*',
    why: 'Both servers write conditions and finalize in their own time, so that answers differ from run to run.',
  },
  {
    request: 'verbs *servicecidrs*',
    path: '*',
    why: 'Upstream writes the readiness of a range in its own time, so that its answers differ from run to run.',
  },
  {
    request: 'verbs prioritylevelconfigurations*',
    path: 'body.*managedFields*',
    why: 'Upstream writes the status of priority levels in its own time, so that its answers differ from run to run.',
  },
  { request: 'verbs */delete old revision', path: 'body.message', why: 'The message tells a revision.' },
  {
    request: 'rich autoscaler/* policies*',
    path: 'code',
    why: 'An empty list of policies is the same as none here, and gets the defaults; upstream tells the two apart and refuses it.',
  },
  {
    request: 'verbs events.events*/* bad *',
    path: 'body.*',
    why: "The kind that the message names is core's, as both groups store it.",
  },
];

/** What is behind the differences of open.tsv, by where they are. */
export const families: Explanation[] = [
  { request: 'documents/resources *', path: '*', why: 'the hash of storage versions, and apiVersion in the first list.' },
  { request: 'documents/group*', path: '*', why: 'legacy discovery in YAML and protobuf; an unknown version of aggregated discovery.' },
  {
    request: 'reviews/*',
    path: '*',
    why: 'the order of rules.',
  },
  { request: 'roles/*', path: 'body.*managedFields*', why: 'objects that the server makes itself have no managed fields.' },
  { request: 'roles/*', path: '*', why: 'details of some bootstrap objects.' },
  { request: 'pages/*', path: '*', why: 'Tables of v1beta1, metadata in protobuf, HEAD, path tricks, limits with any revision.' },
  { request: 'pods/*', path: '*', why: 'log and exec of pods without a node, or on one that is unknown.' },
  { request: 'services/*', path: '*', why: 'proxies to a Service without endpoints; fields that go with a type.' },
  { request: 'security *', path: '*', why: 'texts of Pod Security.' },
  { request: 'limits/*', path: '*', why: 'texts of limits.' },
  { request: 'policies/*', path: '*', why: 'texts of policies.' },
  { request: 'applying/*', path: '*', why: 'managed fields after an unusual patch.' },
  {
    request: 'custom *',
    path: '*',
    why: 'order of failures, regular expressions in schemas, other kinds and versions.',
  },
  { request: '*/scale *', path: '*', why: 'the object that a refused patch of the scale quotes has no managed fields.' },
  {
    request: '*/*',
    path: 'body.metadata.managedFields*',
    why: 'entries of objects that defaults change; items without keys.',
  },
  { request: 'verbs */get * scale', path: '*', why: 'what an apply of the scale owns.' },
  { request: 'verbs daemonsets*', path: 'body.*annotations*', why: 'the template generation is an annotation in metadata alone too.' },
  { request: 'verbs */*table*', path: 'body.*', why: 'some columns and their types.' },
  { request: 'verbs */list by nonsense', path: 'body.message', why: 'texts of fields that cannot be selected by.' },
  { request: 'verbs */get bad revision', path: '*', why: 'the text of kinds that upstream does not cache.' },
  { request: 'verbs events*', path: '*', why: 'names and namespaces of events.' },
  { request: 'verbs *', path: 'warnings', why: 'warnings of requests that are refused.' },
  { request: 'verbs */create *', path: 'body.*', why: 'order and texts of some causes.' },
  { request: 'verbs */update *', path: 'body.*', why: 'order and texts of some causes.' },
  { request: 'verbs */*', path: 'body.details.*', why: 'objects quoted by a refused patch.' },
  { request: 'rich *', path: 'body.*', why: 'texts and counts of some causes.' },
  { request: 'rich *', path: 'code', why: 'node ports out of range; policies of an autoscaler that are an empty list.' },
  { request: 'mutations *', path: 'body.*', why: 'texts and counts of some causes.' },
];
