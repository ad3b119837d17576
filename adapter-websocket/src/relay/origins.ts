/**
 * Which web pages may connect. A browser lets any page open a WebSocket to any host, with the cookies of that host, and
 * says only in the header `Origin` which page it is (RFC 6455, 10.2).
 */

/** Says whether a request with this `Origin` header is let in. */
export type OriginCheck = (origin: string | undefined) => boolean;

/** What is wrong with a rule; undefined when nothing is. */
export function problemOfOrigin(rule: string): string | undefined {
  if (rule === "*" || rule === "null") return undefined;
  const lower = rule.toLowerCase();
  const plain = lower.replace("://*.", "://");
  const isSite = /^https?:\/\/[^*]+$/.test(plain) && URL.canParse(plain) && new URL(plain).origin === plain;
  return isSite || ofApp.test(lower)
    ? undefined
    : "is an origin such as https://app.example.com, https://*.example.com, null, or * for any";
}

/** An app in a web view, or an extension: `capacitor://localhost`, `chrome-extension://ID`. */
const ofApp = /^(?!(?:https?|wss?|amqps?|ftp|file):)[a-z][a-z\d+.-]*:\/\/[\w.-]+(?::\d+)?$/;

/**
 * @param rules Origins: exact; or of all subdomains, as `https://*.example.com`; or `*` for any.
 * @param allowNone Whether a request without the header, which is not from a browser's page, is let in.
 */
export function checkOrigins(rules: readonly string[], allowNone: boolean): OriginCheck {
  const exact = new Set<string>();
  const wildcards: { readonly scheme: string; readonly suffix: string }[] = [];
  for (const rule of rules.map((each) => each.toLowerCase())) {
    const [scheme = "", suffix] = rule.split("://*");
    if (suffix === undefined) exact.add(rule);
    else wildcards.push({ scheme: `${scheme}://`, suffix });
  }

  return (origin) => {
    if (origin === undefined) return allowNone;
    const given = origin.toLowerCase();
    if (exact.has("*") || exact.has(given)) return true;
    return wildcards.some(({ scheme, suffix }) => isSubdomain(given, scheme, suffix));
  };
}

function isSubdomain(origin: string, scheme: string, suffix: string): boolean {
  if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false;
  const subdomain = origin.slice(scheme.length, origin.length - suffix.length);
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(subdomain);
}
