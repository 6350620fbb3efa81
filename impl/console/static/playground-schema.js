// What a schema says, in words, and what a value breaks of it: hints while one types. The server judges by the whole document.

/** The rules of a schema that fit into a line. */
export function describe(s) {
  const said = [];
  if (s.type) said.push(s.type === "array" ? `array of ${s.items?.type ?? "values"}` : s.type);
  if (s.format && s.format !== "binary") said.push(s.format);
  if (s.minimum != null || s.maximum != null) said.push(`${s.minimum ?? "…"} to ${s.maximum ?? "…"}`);
  if (s.maxLength != null) said.push(`at most ${s.maxLength} characters`);
  if (s.default != null) said.push(`by default ${s.default}`);
  return said.length > 0 ? `(${said.join(", ")})` : "";
}

/** What is wrong with a text that should be JSON of a schema; [] when nothing is. */
export function check(schema, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return [`This is no JSON: ${error.message}.`];
  }
  const wrong = [];
  visit(schema, value, "", wrong);
  return wrong;
}

const kinds = {
  object: (v) => typeof v === "object" && v !== null && !Array.isArray(v), array: Array.isArray, string: (v) => typeof v === "string",
  boolean: (v) => typeof v === "boolean", number: (v) => typeof v === "number", integer: Number.isInteger,
};

function visit(s, v, path, wrong) {
  const name = path || "The body";
  if (v === null && s.nullable) return;
  for (const one of s.allOf ?? []) visit(one, v, path, wrong);
  const variants = s.oneOf ?? s.anyOf;
  if (variants?.length > 0) {
    const tries = variants.map((one) => { const all = []; visit(one, v, path, all); return all; });
    if (tries.every((all) => all.length > 0)) wrong.push(...tries.sort((a, b) => a.length - b.length)[0]);
    return;
  }
  if (s.type && kinds[s.type] && !kinds[s.type](v)) return wrong.push(`${name} must be of the type ${s.type}.`);
  if (s.enum && !s.enum.includes(v)) return wrong.push(`${name} must be one of ${s.enum.join(", ")}.`);
  if (typeof v === "number") bounds(s, v, name, wrong);
  else if (typeof v === "string") characters(s, v, name, wrong);
  else if (Array.isArray(v)) items(s, v, name, path, wrong);
  else if (kinds.object(v)) members(s, v, name, path, wrong);
}

function bounds(s, v, name, wrong) {
  if (s.minimum != null && v < s.minimum) wrong.push(`${name} must be at least ${s.minimum}.`);
  if (s.maximum != null && v > s.maximum) wrong.push(`${name} must be at most ${s.maximum}.`);
}

function characters(s, v, name, wrong) {
  const length = [...v].length;
  if (length < (s.minLength ?? 0)) wrong.push(`${name} must have at least ${s.minLength} characters.`);
  if (length > (s.maxLength ?? Infinity)) wrong.push(`${name} must have at most ${s.maxLength} characters.`);
  if (!s.pattern) return;
  try {
    if (!new RegExp(s.pattern, "u").test(v)) wrong.push(`${name} must match ${s.pattern}.`);
  } catch {
    // A pattern that this browser cannot read is left to the server.
  }
}

function items(s, v, name, path, wrong) {
  if (v.length < (s.minItems ?? 0)) wrong.push(`${name} must have at least ${s.minItems} items.`);
  if (v.length > (s.maxItems ?? Infinity)) wrong.push(`${name} must have at most ${s.maxItems} items.`);
  if (s.items) v.forEach((item, i) => visit(s.items, item, `${path}[${i}]`, wrong));
}

function members(s, v, name, path, wrong) {
  for (const key of s.required ?? []) if (!Object.hasOwn(v, key)) wrong.push(`${name} lacks ${key}.`);
  for (const [key, item] of Object.entries(v)) {
    const at = path ? `${path}.${key}` : key;
    if (s.properties && Object.hasOwn(s.properties, key)) visit(s.properties[key], item, at, wrong);
    else if (s.additionalProperties === false) wrong.push(`${at} is not a member that the document names.`);
    else if (typeof s.additionalProperties === "object") visit(s.additionalProperties, item, at, wrong);
  }
}
