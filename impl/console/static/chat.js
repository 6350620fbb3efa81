// Follows a running chat: shows who speaks in the graph, the words as they come, and the page anew when the run rests.
const list = document.querySelector("[data-chat]");

if (list && list.dataset.running === "true") {
  const at = `/console/live/chats/${encodeURIComponent(list.dataset.chat)}`;
  const shown = new Set([...list.querySelectorAll("[data-message]")].map((item) => item.dataset.message));
  const source = new EventSource(`${at}/events`);
  let writing = null;

  const entry = (by, text, id) => {
    list.querySelector(".empty")?.remove();
    const item = document.createElement("li");
    const head = Object.assign(document.createElement("p"), { className: "by", textContent: by });
    const said = Object.assign(document.createElement("p"), { className: "said", textContent: text });
    item.append(head, said);
    if (id) item.dataset.message = id;
    list.append(item);
    return said;
  };
  const light = (name) => {
    for (const node of document.querySelectorAll("[data-node]")) node.classList.toggle("speaks", node.dataset.node === name);
  };
  const drop = () => {
    writing?.parentElement.remove();
    writing = null;
  };

  source.addEventListener("speaking", (event) => {
    const { sender, receiver } = JSON.parse(event.data);
    drop();
    light(sender);
    writing = entry(`${sender} → ${receiver}`, "");
    writing.parentElement.setAttribute("aria-busy", "true");
  });
  source.addEventListener("delta", (event) => {
    writing ??= entry("…", "");
    writing.textContent += JSON.parse(event.data).content;
  });
  source.addEventListener("message", (event) => {
    if (!event.data) return;
    const message = JSON.parse(event.data);
    drop();
    if (shown.has(message.id)) return;
    shown.add(message.id);
    entry(`${message.sender} → ${message.receiver}`, message.content, message.id);
  });
  // What the stream tells may be of an earlier run: the chat itself says where it stands.
  const rest = async () => {
    const answer = await fetch(at);
    if (answer.ok && (await answer.json()).status === "running") return;
    source.close();
    location.reload();
  };
  source.addEventListener("status", rest);
  source.addEventListener("end", rest);
}
