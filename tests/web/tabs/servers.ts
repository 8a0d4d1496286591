/** What stands between a browser and the gateway: a cable that can be pulled, and a server of a newer version. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttp, type Server as HttpServer } from "node:http";
import { type Server, type Socket, connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  webmanifest: "application/manifest+json",
};

/** A port whose connections go to the gateway, until they are cut. */
export class Cable {
  readonly #to: URL;
  readonly #ends = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(to: string) {
    this.#to = new URL(to);
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  async plug(): Promise<void> {
    const server = createServer((here) => {
      const there = connect(Number(this.#to.port), this.#to.hostname);
      for (const [one, other] of [
        [here, there],
        [there, here],
      ] as const) {
        this.#ends.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#ends.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    this.#server = server;
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
  }

  async pull(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    for (const one of this.#ends) one.destroy();
    await closed;
  }
}

interface Manifest {
  readonly files: readonly { readonly path: string; readonly file: string }[];
}

/** A server that has the files of a folder and nothing else, under the policy of the gateway. */
export async function serve(folder: string, port: number, policy: string): Promise<HttpServer> {
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
  const files = new Map(manifest.files.map((one) => [one.path, one.file]));
  const server = createHttp((request, response) => {
    const file = files.get(new URL(request.url ?? "/", "http://127.0.0.1").pathname);
    if (file === undefined) {
      response.writeHead(502).end();
      return;
    }
    const media = TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "";
    response.writeHead(200, { "Content-Security-Policy": policy, "Content-Type": media });
    response.end(readFileSync(join(folder, file)));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
