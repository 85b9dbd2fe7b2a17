/** A metav1.Time of a moment in milliseconds since 1970; null for none, as upstream writes a zero time. */
export const metaTime = (milliseconds: number): string => `${new Date(Math.floor(milliseconds)).toISOString().slice(0, 19)}Z`;
/** Milliseconds since 1970 of a metav1.Time; 0 for none. */
export const fromMetaTime = (time: string | null | undefined): number => (time ? Date.parse(time) : 0);
