// Follows what the server works at: each mark says where its state is to be had, and the page is shown anew when it is no longer waiting.
const marks = [...document.querySelectorAll("[data-wait]")];

async function settled(mark) {
  const answer = await fetch(mark.dataset.wait, { headers: { Accept: "application/json" } });
  return answer.ok && (await answer.json()).state !== "waiting";
}

async function look(pause) {
  const over = await Promise.all(marks.map((mark) => settled(mark).catch(() => false)));
  // Not while somebody types.
  if (over.includes(true) && !["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName)) return location.reload();
  setTimeout(() => look(Math.min(pause * 1.5, 10_000)), pause);
}

if (marks.length > 0) look(500);
