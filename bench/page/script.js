// Draws the results that the page carries. Charts are drawn again when the colours change.
(() => {
  const results = JSON.parse(document.getElementById("results").textContent);
  const nullBroker = "null broker";
  const root = document.documentElement;
  const charts = [];
  const colours = {
    light: {
      ours: "#d9480f",
      peer: "#6b7a8c",
      limit: "#b9c2cc",
      miss: "#f0a884",
      ink: "#1c2128",
      soft: "#59636e",
      line: "#e3e8ed",
    },
    dark: {
      ours: "#ff8a4c",
      peer: "#8796a8",
      limit: "#46525f",
      miss: "#8a4b2c",
      ink: "#e6e9ed",
      soft: "#9aa4ae",
      line: "#29313a",
    },
  };
  const lines = ["#d9480f", "#1c7ed6", "#2b8a3e", "#ae3ec9", "#e8a400"];
  const colour = () => colours[root.classList.contains("dark") ? "dark" : "light"];

  const figure = (value) => {
    if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(3)));
  };

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className !== undefined) made.className = className;
    return made;
  }

  /** A chart of a height of its own in a place of the page. */
  function draw(place, height, config) {
    place.style.height = `${height}px`;
    const canvas = element("canvas");
    place.replaceChildren(canvas);
    charts.push(new Chart(canvas, config));
  }

  function bars(labels, data, backgrounds, { base, texts, marks }) {
    const { ink, soft, line } = colour();
    const names = {
      id: "names",
      afterDatasetsDraw(chart) {
        const { ctx, scales } = chart;
        ctx.save();
        ctx.font = "12px system-ui, sans-serif";
        ctx.textBaseline = "middle";
        for (const [index, bar] of chart.getDatasetMeta(0).data.entries()) {
          ctx.fillStyle = ink;
          const mark = marks?.[index];
          const goal = mark === undefined ? 0 : scales.x.getPixelForValue(mark);
          if (mark !== undefined) ctx.fillRect(goal - 1, bar.y - bar.height / 2 - 2, 2, bar.height + 4);
          ctx.fillText(texts[index], Math.max(bar.x, bar.base, goal) + 7, bar.y);
        }
        ctx.restore();
      },
    };
    return {
      type: "bar",
      data: { labels, datasets: [{ data, backgroundColor: backgrounds, borderRadius: 2, barPercentage: 0.8, base }] },
      plugins: [names],
      options: {
        indexAxis: "y",
        animation: false,
        maintainAspectRatio: false,
        layout: { padding: { right: 150 } },
        plugins: { legend: { display: false }, tooltip: { enabled: false } },
        scales: {
          x: {
            type: "logarithmic",
            suggestedMax: Math.max(...data, ...(marks ?? []).filter(Boolean)),
            grid: { color: line },
            ticks: { color: soft, callback: tick },
          },
          y: { grid: { display: false }, ticks: { color: ink, autoSkip: false } },
        },
      },
    };
  }

  /** On a logarithmic axis only powers of ten have room. */
  const tick = (value) => (Number.isInteger(Math.log10(value)) ? figure(value) : "");

  function drawOverview() {
    const shown = results.verdicts.filter(
      (each) => each.counterpart === nullBroker && !each.workload.includes(", on "),
    );
    const { ours, miss } = colour();
    const chart = bars(
      shown.map(({ workload }) => workload),
      shown.map(({ ratio }) => ratio),
      shown.map(({ passed }) => (passed === false ? miss : ours)),
      {
        base: 1,
        texts: shown.map(({ ratio, best }) => `${figure(ratio)} × ${best.client}`),
        marks: shown.map(({ goal }) => goal),
      },
    );
    draw(document.getElementById("overview-chart"), 40 + 24 * shown.length, chart);
  }

  function fillGoals() {
    const table = document.getElementById("goals");
    const unit = { cpu: "µs CPU", rate: "/s", memory: "B" };
    const head = ["workload", "broker", "Leveret", "best other", "ratio", "goal", "", "of hand-written"];
    const row = (texts, name, className) => {
      const made = element("tr");
      for (const [index, text] of texts.entries())
        made.append(element(name, text, index === 6 ? className : undefined));
      return made;
    };
    table.replaceChildren(row(head, "th"));
    for (const { workload, counterpart, of, ours, best, ratio, goal, passed, ofLimit } of results.verdicts) {
      const verdict = passed === undefined ? "" : passed ? "passed" : "not reached";
      const texts = [
        workload,
        counterpart,
        `${figure(ours)} ${unit[of]}`,
        `${best.client}: ${figure(best.value)}`,
        `${figure(ratio)} ×`,
        goal === undefined ? "" : `${goal} ×`,
        verdict,
        ofLimit === undefined ? "" : `${figure(ofLimit)} ×`,
      ];
      table.append(row(texts, "td", passed ? "passed" : "missed"));
    }
  }

  function drawGrowth() {
    const { ink, soft, line } = colour();
    const datasets = results.curves.map(({ name, points }, index) => ({
      label: name,
      data: points.map(({ at, cpu }) => ({ x: at, y: cpu.median })),
      borderColor: lines[index % lines.length],
      backgroundColor: lines[index % lines.length],
    }));
    const axis = { type: "logarithmic", grid: { color: line }, ticks: { color: soft, callback: tick } };
    draw(document.getElementById("growth-chart"), 320, {
      type: "line",
      data: { datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        plugins: { legend: { labels: { color: ink } } },
        scales: { x: axis, y: axis },
      },
    });
  }

  const javascript = ["node", "deno", "bun"];
  const placeOf = ({ counterpart, runtime }) =>
    `${counterpart}${javascript.includes(runtime) && runtime !== "node" ? `, ${runtime}` : ""}`;
  const places = [...new Set(results.cells.map(placeOf))];
  let place = places[0];

  function drawWorkloads() {
    document.getElementById("places").replaceChildren(
      ...places.map((name) => {
        const button = element("button", name);
        button.setAttribute("aria-pressed", String(name === place));
        button.addEventListener("click", () => {
          place = name;
          drawAll();
        });
        return button;
      }),
    );
    const all = document.getElementById("workloads");
    all.replaceChildren();
    const here = results.cells.filter((cell) => placeOf(cell) === place);
    const palette = colour();
    for (const workload of new Set(here.map((cell) => cell.workload))) {
      const cells = here.filter((cell) => cell.workload === workload && (cell.cpu ?? cell.memory) !== undefined);
      // Those that nobody is beside have their curve above.
      if (cells.length < 2) continue;
      const value = ({ cpu, memory }) => (cpu ?? memory).median;
      all.append(element("h3", workload));
      const canvas = element("div", undefined, "canvas");
      all.append(canvas);
      const chart = bars(
        cells.map(({ client }) => client),
        cells.map(value),
        cells.map(({ role }) => palette[role]),
        { texts: cells.map(describe) },
      );
      draw(canvas, 36 + 24 * cells.length, chart);
    }
  }

  function describe({ cpu, memory, rate, latency }) {
    if (memory !== undefined) return `${figure(memory.median)} B`;
    const waits = latency === undefined ? "" : `, p99 ${figure(latency.p99.median)} µs`;
    return `${figure(cpu.median)} µs, ${figure(rate.median)}/s${waits}`;
  }

  function drawAll() {
    for (const chart of charts.splice(0)) chart.destroy();
    drawOverview();
    fillGoals();
    drawGrowth();
    drawWorkloads();
  }

  const { about, pace } = results;
  const pairs = Object.entries(about).map(([name, value]) => `${name} ${value}`);
  document.getElementById("about").textContent =
    `${pairs.join(" · ")} · ${pace.rounds} rounds, each with ${pace.warmUp} ms to warm up and ${pace.measure} ms measured`;
  document.getElementById("theme").addEventListener("click", () => {
    root.classList.toggle("dark");
    drawAll();
  });
  const wanted = new URLSearchParams(location.search).get("theme");
  const dark = wanted === null ? matchMedia("(prefers-color-scheme: dark)").matches : wanted === "dark";
  root.classList.toggle("dark", dark);
  drawAll();
})();
