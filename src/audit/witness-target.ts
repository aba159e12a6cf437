/** What `audit.witness` names: a URL, or else the path of a file. The configuration and the witness itself ask here. */
export function isUrl(target: string): boolean {
  return /^https?:/.test(target);
}
