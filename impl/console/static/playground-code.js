// A request as code. The key never stands in it: each language reads it from the environment.

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const quoted = (text) => JSON.stringify(text);
const named = (value) => (typeof value === "string" ? value : value.name);

/** The headers but for the credential. */
const plain = (r) => Object.entries(r.headers).filter(([name]) => name !== "Authorization");

/** The request as code in a language: curl, go, javascript or python. */
export function snippet(language, r, origin) {
  return (r.socket ? sockets : calls)[language](r, origin);
}

const calls = {
  curl(r, origin) {
    const lines = [`curl${r.method === "GET" ? "" : ` -X ${r.method}`} ${shell(origin + r.url)}`, `-H "Authorization: Bearer $PARLEY_KEY"`];
    for (const [name, value] of plain(r)) lines.push(`-H ${shell(`${name}: ${value}`)}`);
    if (r.json !== null) lines.push(`-d ${shell(r.json)}`);
    for (const [name, value] of r.parts ?? []) {
      if (r.urlencoded) lines.push(`--data-urlencode ${shell(`${name}=${value}`)}`);
      else lines.push(typeof value === "string" ? `--form-string ${shell(`${name}=${value}`)}` : `-F ${shell(`${name}=@${value.name}`)}`);
    }
    return lines.join(" \\\n  ");
  },

  go(r, origin) {
    const imports = ["fmt", "io", "log", "net/http", "os"], before = [];
    let body = "nil", type = "";
    if (r.json !== null) {
      imports.push("strings");
      body = `strings.NewReader(${r.json.includes("`") ? quoted(r.json) : `\`${r.json}\``})`;
    } else if (r.urlencoded) {
      imports.push("net/url", "strings");
      before.push("form := url.Values{}", ...r.parts.map(([name, value]) => `form.Add(${quoted(name)}, ${quoted(value)})`));
      body = "strings.NewReader(form.Encode())";
      type = `"application/x-www-form-urlencoded"`;
    } else if (r.parts) {
      imports.push("bytes", "mime/multipart");
      before.push("var form bytes.Buffer", "parts := multipart.NewWriter(&form)");
      for (const [name, value] of r.parts) before.push(...goPart(name, value));
      before.push("if err := parts.Close(); err != nil {", "\tlog.Fatal(err)", "}");
      body = "&form";
      type = "parts.FormDataContentType()";
    }
    const headers = [`request.Header.Set("Authorization", "Bearer "+os.Getenv("PARLEY_KEY"))`, ...plain(r).map(([name, value]) => `request.Header.Set(${quoted(name)}, ${quoted(value)})`)];
    if (type) headers.push(`request.Header.Set("Content-Type", ${type})`);
    const lines = [
      ...before, `request, err := http.NewRequest(${quoted(r.method)}, ${quoted(origin + r.url)}, ${body})`, "if err != nil {", "\tlog.Fatal(err)", "}", ...headers,
      "response, err := http.DefaultClient.Do(request)", "if err != nil {", "\tlog.Fatal(err)", "}", "defer response.Body.Close()",
      "fmt.Println(response.Status)", "if _, err := io.Copy(os.Stdout, response.Body); err != nil {", "\tlog.Fatal(err)", "}",
    ];
    return `package main\n\nimport (\n${imports.sort().map((i) => `\t"${i}"`).join("\n")}\n)\n\nfunc main() {\n${lines.map((l) => `\t${l}`).join("\n")}\n}`;
  },

  javascript(r, origin) {
    const before = [];
    let body = "";
    if (r.json !== null) body = `\n  body: ${quoted(r.json)},`;
    else if (r.parts) {
      before.push(`const form = new ${r.urlencoded ? "URLSearchParams" : "FormData"}()`);
      for (const [name, value] of r.parts) {
        before.push(typeof value === "string" ? `form.append(${quoted(name)}, ${quoted(value)})` : `form.append(${quoted(name)}, await openAsBlob(${quoted(value.name)}), ${quoted(value.name)})`);
      }
      if (r.parts.some(([, value]) => typeof value !== "string")) before.unshift(`import {openAsBlob} from "node:fs"`);
      body = "\n  body: form,";
    }
    const headers = [`Authorization: \`Bearer \${process.env.PARLEY_KEY}\``, ...plain(r).map(([name, value]) => `${quoted(name)}: ${quoted(value)}`)];
    return [...before, `const response = await fetch(${quoted(origin + r.url)}, {\n  method: ${quoted(r.method)},\n  headers: {${headers.join(", ")}},${body}\n})`,
      "console.log(response.status)", "for await (const piece of response.body.pipeThrough(new TextDecoderStream())) process.stdout.write(piece)"].join("\n");
  },

  python(r, origin) {
    const headers = [`"Authorization": "Bearer " + os.environ["PARLEY_KEY"]`, ...plain(r).map(([name, value]) => `${quoted(name)}: ${quoted(value)}`)];
    const given = [`headers={${headers.join(", ")}}`];
    if (r.json !== null) given.push(`data=${quoted(r.json)}.encode()`);
    else if (r.urlencoded) given.push(`data=[${r.parts.map(([n, v]) => `(${quoted(n)}, ${quoted(v)})`).join(", ")}]`);
    else if (r.parts) given.push(`files=[${r.parts.map(([n, v]) => `(${quoted(n)}, ${typeof v === "string" ? `(None, ${quoted(v)})` : `open(${quoted(named(v))}, "rb")`})`).join(", ")}]`);
    return `import os\n\nimport requests\n\nwith requests.request(\n    ${quoted(r.method)}, ${quoted(origin + r.url)},\n    ${given.join(",\n    ")}, stream=True,\n) as response:\n    print(response.status_code)\n    for piece in response.iter_content(None):\n        print(piece.decode(), end="", flush=True)`;
  },
};

function goPart(name, value) {
  if (typeof value === "string") return [`if err := parts.WriteField(${quoted(name)}, ${quoted(value)}); err != nil {`, "\tlog.Fatal(err)", "}"];
  return [
    "{", `\tcontent, err := os.ReadFile(${quoted(value.name)})`, "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}",
    `\tpart, err := parts.CreateFormFile(${quoted(name)}, ${quoted(value.name)})`, "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}",
    "\tif _, err := part.Write(content); err != nil {", "\t\tlog.Fatal(err)", "\t}", "}",
  ];
}

const wire = (r, origin) => quoted(origin.replace(/^http/, "ws") + r.url);

const sockets = {
  curl: (r, origin) => `npx wscat -c ${shell(origin.replace(/^http/, "ws") + r.url)} \\\n  -H "Authorization: Bearer $PARLEY_KEY"`,
  go: (r, origin) => `package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/coder/websocket"
)

func main() {
	header := http.Header{"Authorization": {"Bearer " + os.Getenv("PARLEY_KEY")}}
	connection, _, err := websocket.Dial(context.Background(), ${wire(r, origin)}, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		log.Fatal(err)
	}
	defer connection.CloseNow()
	for {
		_, message, err := connection.Read(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(message))
	}
}`,
  javascript: (r, origin) => `import WebSocket from "ws"\n\nconst socket = new WebSocket(${wire(r, origin)}, {headers: {Authorization: \`Bearer \${process.env.PARLEY_KEY}\`}})\nsocket.on("message", (message) => console.log(String(message)))`,
  python: (r, origin) => `import os\n\nfrom websockets.sync.client import connect\n\nwith connect(${wire(r, origin)}, additional_headers={"Authorization": "Bearer " + os.environ["PARLEY_KEY"]}) as connection:\n    for message in connection:\n        print(message)`,
};
