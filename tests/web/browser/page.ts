/** The page that runs a test in a browser: which one stands in the fragment (messenger/web/client/browser.js). */

import { give } from "./files.ts";
import { run } from "./test.ts";

async function main(): Promise<void> {
  const violations: string[] = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    violations.push(`${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`);
  });
  await give();
  const results = await run(() => import(`/bundles/${location.hash.slice(1)}.js`) as Promise<unknown>);
  const held = { name: "the policies of the page hold", took: 0, said: [] };
  results.push(violations.length === 0 ? held : { ...held, error: violations.join("\n") });
  await fetch("/results", { method: "POST", body: JSON.stringify(results) });
}

void main();
