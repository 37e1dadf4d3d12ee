// Keys that work wherever no text is being typed: 1 to 4 go to a view, / to the question.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], .q-dialog")) return;
  if (event.key === "/") {
    const question = document.querySelector(".ip-question textarea");
    if (question) { event.preventDefault(); question.focus(); }
  }
  const link = document.querySelectorAll(".ip-link")[Number(event.key) - 1];
  if (link) { event.preventDefault(); link.click(); }
});
