export async function flow(): Promise<void> {
  throw new Error('Cannot show the flow: not there yet');
}
