// Follows the answer that is being made in a conversation, whichever API it is for: the words as they come, the page anew at the end.
const list = document.querySelector("[data-turn]");

/** The next words in what a stream of some API tells; "" in anything else. */
function words(data) {
  if (data.choices) return data.choices[0]?.delta?.content ?? "";
  if (data.type) return data.type === "response.output_text.delta" ? data.delta : "";
  if (data.status === "progress") return data.message ?? "";
  return data.status || data.id ? "" : data.content ?? "";
}

async function follow() {
  const item = document.createElement("li");
  const head = Object.assign(document.createElement("p"), { className: "by", textContent: "assistant · writing" });
  const said = Object.assign(document.createElement("p"), { className: "said" });
  item.className = "assistant";
  item.setAttribute("aria-busy", "true");
  item.append(head, said);
  list.append(item);
  const answer = await fetch(`/console/live/turns/${encodeURIComponent(list.dataset.turn)}/events`, { headers: { Accept: "text/event-stream" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:") || line.includes("[DONE]")) continue;
      said.textContent += words(JSON.parse(line.slice(5)));
    }
  }
  location.reload();
}

if (list) {
  follow().catch(() => {
    list.lastElementChild.removeAttribute("aria-busy");
    list.lastElementChild.firstElementChild.textContent = "The connection broke. Open the page again to go on.";
  });
}
