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
  {
    request: 'roles/bootstrap *',
    path: 'body.metadata.managedFields',
    why: 'For the same reason they have the entry from the start that the controller of aggregated roles would write.',
  },
  { request: 'roles/kubernetes service', path: 'body.spec.ports.0.targetPort', why: 'The port at which a server listens is its own.' },
  {
    request: 'reviews/self path',
    path: 'body.status.reason',
    why: 'Of several bindings that allow it, upstream tells the first of a map.',
  },
  {
    request: 'reviews/rules',
    path: 'body.status.*',
    why: 'Upstream walks bindings in the order of a map, which is another each time.',
  },
  {
    request: 'custom objects/create several',
    path: 'body.details.causes.*',
    why: 'Upstream walks the properties of a schema in the order of a map.',
  },
  {
    request: '*/create without *.0',
    path: 'body.metadata.managedFields*',
    why: 'An empty list is no change: upstream tells it from a list that nobody set.',
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
    request: 'mutations customresourcedefinitions*/touch',
    path: '*',
    why: 'The same: the conditions of the definition may be there already.',
  },
  {
    request: 'applying/strategic order',
    path: 'body.message',
    why: 'Upstream looks at the fields of a patch in the order of a map, and tells what it finds first.',
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
    request: 'verbs events.events*/create empty',
    path: 'body.details.causes.*',
    why: "Metadata is looked at before the kind's own fields; upstream does so the other way round for this kind.",
  },
  {
    request: 'verbs */scale wrong type',
    path: 'body.details.causes.*',
    why: 'The object that is quoted has managed fields upstream: those of its scale.',
  },
  {
    request: 'autoscalers/* table v1',
    path: 'body.rows.*.object.metadata.annotations',
    why: "Upstream's rows have the metadata from before the conversion to v1; here they have what the object has.",
  },
  {
    request: 'autoscalers/status *',
    path: 'body.metadata.managedFields.*.f:metadata',
    why: 'A status without an amount has one of zero in v1; it is looked at as the client sent it, so that what is stored has none.',
  },
  {
    request: 'autoscalers/annotations cpu utilization with target*',
    path: 'body.metadata.managedFields.*.f:metadata',
    why: 'Two metrics of cpu are one in v1; the annotation is looked at as the client sent it, so that both are stored.',
  },
  {
    request: 'verbs horizontalpodautoscalers* v2/* strict',
    path: 'body.*',
    why: 'The object that is quoted has null for an empty list upstream.',
  },
  {
    request: 'verbs horizontalpodautoscalers* v2/* wrong type',
    path: 'body.*',
    why: 'The object that is quoted has null for an empty list upstream.',
  },
  {
    request: 'verbs daemonsets.apps v1/*',
    path: 'body.*metadata.annotations',
    why: "Metadata alone is the object's metadata here; upstream's lacks the one annotation that stands for a field.",
  },
  {
    request: 'verbs endpoints v1/*',
    path: 'warnings',
    why: 'Whether a request that is refused for its form is warned of its kind as well.',
  },
  {
    request: 'verbs */create long name',
    path: 'body.details.causes.*',
    why: 'Upstream counts bytes, not characters, in two kinds whose rules it declares; a name has one byte a character.',
  },
  {
    request: 'rich service balanced/*odePort',
    path: '*',
    why: 'A dry run takes ports and gives them back, so that it is refused as the request would be; upstream makes numbers up.',
  },
  {
    request: 'random *',
    path: 'body.details.causes.*.message',
    upstream: /^conflict with "/,
    coxswain: /^conflict with "/,
    why: 'Upstream walks the managers of a conflict in the order of a map; the message, which has them in order, is compared.',
  },
  {
    request: 'random *',
    path: 'body.details.causes.*.field',
    upstream: /^\./,
    coxswain: /^\./,
    why: 'The same: only fields in conflict begin with a dot.',
  },
  {
    request: 'random *',
    path: 'body.message',
    upstream: /^map: map.* does not contain declared merge key: /,
    coxswain: /^map: map.* does not contain declared merge key: /,
    why: 'Upstream looks at the fields of a patch in the order of a map, and tells what it finds first.',
  },
  {
    request: 'random *autoscaler*',
    path: 'body.details.causes.*.message',
    upstream: /\\"currentMetrics\\":null/,
    coxswain: /\\"currentMetrics\\":\[\]/,
    why: 'The object that is quoted has null for an empty list upstream.',
  },
  ...['random apiservices*', 'mutations apiservices*/touch'].flatMap((request) => [
    {
      request,
      path: 'body.*managedFields*',
      why: 'Both servers write the availability of an API in their own time, so that answers differ from run to run.',
    },
    { request, path: 'body.status*', why: 'The same.' },
  ]),
  {
    request: 'random apiservices*',
    path: 'body.details.causes.*.message',
    upstream: /\\"conditions\\":|\\"kind\\":\\"APIService\\"/,
    coxswain: /\\"conditions\\":|\\"kind\\":\\"APIService\\"/,
    why: 'The same, of the object that is quoted.',
  },
  ...['random flowschemas*', 'random rich flow schema/*', 'mutations flowschemas*/touch'].flatMap((request) => [
    {
      request,
      path: 'body.*managedFields*',
      why: 'Both servers mark dangling flow schemas in their own time, so that answers differ from run to run.',
    },
    { request, path: 'body.status*', why: 'The same: whether the flow schema is marked already.' },
    { request, path: 'body.details.causes.*.message', upstream: /FlowSchema/, coxswain: /FlowSchema/, why: 'The same.' },
  ]),
  {
    request: 'random rich job/*',
    path: 'code',
    upstream: '0',
    coxswain: /^422 Job/,
    why: 'Upstream ends the request with a panic on an indexed Job without completions and with a success policy; here it is refused.',
  },
  ...['message', 'field'].map((part) => ({
    request: 'random rich pod resources/*',
    path: `body.details.causes.*.${part}`,
    upstream: /aggregate container requests|^spec\.resources\.requests\[/,
    coxswain: /aggregate container requests|^spec\.resources\.requests\[/,
    why: 'Upstream walks the requests of all containers together in the order of a map.',
  })),
  {
    request: 'random endpoints *',
    path: 'body.metadata.managedFields*',
    why: 'Ports that become an empty list are no change here; upstream tells an empty list from none within an atomic one.',
  },
  {
    request: 'verbs namespaces v1/* held',
    path: 'body.metadata.finalizers.*',
    why: 'Upstream writes the finalizers of a namespace that is deleted in the order of a map.',
  },
];
