// The step, one value after the other: forward pass, backward pass, update.

const PARTS = [["given", "Given"], ["forward", "Forward"], ["backward", "Backward"], ["update", "Update"]];

const steps = nodes.map((node, position) => ({ node, position }))
  .filter(({ node }) => node.named && node.op !== "input" && node.inputs.length)
  .sort((a, b) => partNumber(a.node) - partNumber(b.node) || a.position - b.position)
  .map(({ position }) => position);

function partNumber(node) {
  return PARTS.findIndex(([part]) => part === (node.op === "input" ? "given" : node.part));
}

function placeOfNode(position) {
  return sizeOf(nodes[position]) === 1 ? nameOf({ node: position, at: 0 }) : nodes[position].name;
}

/** A row of buttons for each part of the step, one button for each value. */
function stepperShown() {
  const rows = PARTS.map(([part, label], number) => {
    const here = part === "given"
      ? nodes.flatMap((node, i) => (node.op === "input" && !node.name.includes(":") ? [i] : []))
      : steps.filter((position) => partNumber(nodes[position]) === number);
    if (!here.length) return null;
    return h("div", { class: `part ${part}` }, h("span", { class: "label", id: `part-${part}` }, label),
      h("div", { class: "chips", role: "group", "aria-labelledby": `part-${part}` },
        here.map((position) => h("button", { type: "button", class: "chip", "data-node": position,
          "data-open": placeOfNode(position), title: nodes[position].what }, written(symbolOfNode(position))))));
  });
  const box = document.getElementById("parts");
  box.replaceChildren(...rows.filter(Boolean));
  roving(box, ".chip");
  document.getElementById("back").addEventListener("click", () => move(-1));
  document.getElementById("forth").addEventListener("click", () => move(1));
}

let at = -1;

function move(by) {
  at = Math.min(steps.length - 1, Math.max(0, at + by));
  open(placeOfNode(steps[at]), { focus: false, sight: true });
}

/** Show which value of the step is open. */
function stepperFollows(position) {
  const number = steps.indexOf(position);
  if (number >= 0) at = number;
  document.querySelectorAll(".chip").forEach((chip) => {
    const isHere = Number(chip.dataset.node) === position;
    chip.setAttribute("aria-current", isHere ? "step" : "false");
    if (isHere) chip.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  const words = number < 0 ? "" : `${PARTS[partNumber(nodes[position])][1]}, ${number + 1} of ${steps.length}`;
  document.getElementById("where").textContent = words || `${steps.length} steps`;
  document.getElementById("back").disabled = at <= 0;
  document.getElementById("forth").disabled = at >= steps.length - 1;
}
