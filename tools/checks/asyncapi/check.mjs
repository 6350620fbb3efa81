// Parses an AsyncAPI document with AsyncAPI's own parser, and fails on every error and warning.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const source = process.argv[2];
const { document, diagnostics } = await new Parser().parse(readFileSync(source, "utf8"), { source });
const ERROR = 0, WARNING = 1;
const wrong = diagnostics.filter((d) => d.severity === ERROR || d.severity === WARNING);
for (const d of wrong) console.error(`${d.code} at ${d.path.join("/")}: ${d.message}`);
if (!document || wrong.length > 0) process.exit(1);
console.log(`asyncapi: ${document.allChannels().length} channels, ${document.allMessages().length} messages, all valid`);
