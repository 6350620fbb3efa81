// Follows how a project's content is read, and shows the page anew when it is.
const section = document.querySelector("[data-progress]");

if (section && section.dataset.running === "true") {
  const text = section.querySelector("[data-text]");
  const bar = section.querySelector("progress");
  const source = new EventSource(section.dataset.progress);
  const show = (event) => {
    const figures = JSON.parse(event.data);
    const p = figures.data ?? figures;
    text.textContent = `Reading: ${p.pages_indexed} of ${p.pages_found} pages are ready${p.pages_failed ? `, ${p.pages_failed} failed` : ""}.`;
    bar.max = Math.max(1, p.pages_found);
    bar.value = p.pages_indexed;
  };
  source.addEventListener("progress", show);
  source.addEventListener("done", (event) => {
    show(event);
    source.close();
    // Not while somebody types.
    if (!["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName)) location.reload();
    else text.textContent = text.textContent.replace("Reading: ", "");
  });
}
