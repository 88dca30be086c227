// The questions at a lesson's end: the list of choices that the page has without scripts becomes a form of radio buttons.
"use strict";

document.querySelectorAll(".self-check .question").forEach((question, number) => {
  const form = document.createElement("form");
  const group = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.append(...question.querySelector(".ask").childNodes);
  group.append(legend);

  const choices = [...question.querySelectorAll("li")].map((item, k) => {
    const label = document.createElement("label");
    const button = document.createElement("input");
    button.type = "radio";
    button.name = `question-${number}`;
    button.value = String(k);
    const text = document.createElement("span");
    text.append(...item.querySelector(".choice").childNodes);
    label.append(button, text);
    group.append(label);
    return { button, label, right: item.dataset.right === "1", said: [...item.querySelector(".said").childNodes] };
  });

  const check = document.createElement("button");
  check.type = "submit";
  check.textContent = "Check";
  const told = document.createElement("p"); // read out when it changes
  told.className = "told";
  told.setAttribute("role", "status");
  group.append(check, told);
  form.append(group);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = choices.find((choice) => choice.button.checked);
    for (const choice of choices) choice.label.removeAttribute("data-verdict");
    if (!chosen) {
      told.replaceChildren("Choose an answer first.");
      return;
    }
    chosen.label.dataset.verdict = chosen.right ? "right" : "wrong";
    told.replaceChildren(...chosen.said);
  });
  question.replaceChildren(form);
});
