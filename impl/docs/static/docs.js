// Search while typing. Without this module the form asks the server.
const box = document.getElementById("q"), list = document.getElementById("found"), told = document.getElementById("told");
let entries = null;

async function load() {
  entries ??= fetch("/docs/search.json").then((r) => r.json());
  return entries;
}

function link(entry) {
  const item = document.createElement("li"), a = document.createElement("a"), code = document.createElement("code");
  a.href = entry.at;
  code.textContent = entry.path;
  a.append(entry.title, code);
  item.append(a);
  return item;
}

async function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return hide();
  const all = await load();
  const found = all.filter((e) => {
    const text = `${e.title} ${e.path} ${e.id}`.toLowerCase();
    return words.every((w) => text.includes(w));
  });
  list.replaceChildren(...found.slice(0, 20).map(link));
  list.hidden = found.length === 0;
  told.textContent = `${found.length} found`;
}

function hide() {
  list.hidden = true;
  told.textContent = "";
}

// step moves the focus through the box and what was found.
function step(by) {
  const stops = [box, ...list.querySelectorAll("a")];
  const at = stops.indexOf(document.activeElement);
  stops[Math.min(Math.max(at + by, 0), stops.length - 1)].focus();
}

box.addEventListener("focus", load, {once: true});
box.addEventListener("input", search);
box.form.addEventListener("keydown", (e) => {
  if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    e.preventDefault();
    step(e.key === "ArrowDown" ? 1 : -1);
  } else if (e.key === "Escape") {
    hide();
    box.focus();
  }
});
document.addEventListener("keydown", (e) => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) {
    e.preventDefault();
    box.focus();
  }
});
document.addEventListener("click", (e) => {
  if (!box.form.contains(e.target)) hide();
});
