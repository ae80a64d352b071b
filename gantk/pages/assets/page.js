"use strict";
// Sliders over the samples, and buttons that copy commands.
(() => {
  const steps = (figure) => [...figure.querySelectorAll(".stack img")];

  function show(figure, number) {
    const images = steps(figure), image = images[number], slider = figure.querySelector(".slider");
    images.forEach((each) => { each.hidden = each !== image; });
    const text = Number(image.dataset.step).toLocaleString("en");
    figure.querySelector(".frame-step").textContent = `Step ${text}`;
    if (slider) {
      slider.value = number;
      slider.setAttribute("aria-valuetext", `step ${text}`);
    }
  }

  function moved(figure, number) {
    show(figure, number);
    if (!document.getElementById("together")?.checked) return;
    const step = Number(steps(figure)[number].dataset.step);
    document.querySelectorAll(".frames").forEach((other) => {
      if (other === figure) return;
      const away = steps(other).map((image) => Math.abs(Number(image.dataset.step) - step));
      show(other, away.indexOf(Math.min(...away)));
    });
  }

  function play(figure, button) {
    const slider = figure.querySelector(".slider"), last = Number(slider.max);
    if (button.timer) return stop(button);
    if (Number(slider.value) === last) moved(figure, 0);
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
    button.timer = setInterval(() => {
      if (Number(slider.value) === last) return stop(button);
      moved(figure, Number(slider.value) + 1);
    }, 350);
  }

  function stop(button) {
    clearInterval(button.timer);
    button.timer = 0;
    button.textContent = "Play";
    button.setAttribute("aria-pressed", "false");
  }

  document.querySelectorAll(".frames").forEach((figure) => {
    const slider = figure.querySelector(".slider"), button = figure.querySelector(".play");
    slider?.addEventListener("input", () => { stop(button); moved(figure, Number(slider.value)); });
    button?.addEventListener("click", () => play(figure, button));
  });
  document.querySelectorAll(".copy").forEach((button) => {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  });
  Charts.start();
})();
