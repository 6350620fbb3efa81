// What every page of the console does once it is there: moments in the reader's
// zone, buttons that copy, menus that close. Everything works without it, too.

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Shows the moments below an element in the reader's own zone and language. */
export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    time.textContent = moment.format(at);
  }
}

/** Makes the copy buttons below an element work. */
export function copying(root) {
  if (!navigator.clipboard) return; // only secure origins may copy
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const label = button.firstChild;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        label.textContent = "Copied";
      } catch {
        label.textContent = "Not copied";
      }
      setTimeout(() => { label.textContent = "Copy"; }, 2000);
    });
  }
}

localise(document);
copying(document);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll(".bar details[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(".bar details[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
// A form that was sent is not sent again while its answer is on the way.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "yes";
  event.target.setAttribute("aria-busy", "true");
});
// What takes a while shows that it is on its way.
window.addEventListener("beforeunload", () => document.documentElement.setAttribute("data-loading", ""));
window.addEventListener("pageshow", () => {
  document.documentElement.removeAttribute("data-loading");
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});
