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
      back: "#fff",
    },
    dark: {
      ours: "#ff8a4c",
      peer: "#8796a8",
      limit: "#46525f",
      miss: "#8a4b2c",
      ink: "#e6e9ed",
      soft: "#9aa4ae",
      line: "#29313a",
      back: "#11151a",
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

  /** Bars to the right, each with a text, and where there are some with a mark and a dot. */
  function bars(labels, data, backgrounds, { scale, texts, marks, dots }) {
    const { ink, soft, line, back } = colour();
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
          const reached = dots?.[index];
          const dot = reached === undefined ? 0 : scales.x.getPixelForValue(reached);
          if (reached !== undefined) {
            ctx.beginPath();
            ctx.arc(dot, bar.y, 4, 0, 2 * Math.PI);
            ctx.fillStyle = soft;
            ctx.fill();
            ctx.strokeStyle = back;
            ctx.stroke();
            ctx.fillStyle = ink;
          }
          ctx.fillText(texts[index], Math.max(bar.x, bar.base, goal, dot + 4) + 7, bar.y);
        }
        ctx.restore();
      },
    };
    return {
      type: "bar",
      data: {
        labels,
        datasets: [{ data, backgroundColor: backgrounds, borderRadius: 2, barPercentage: 0.8, ...scale.bar }],
      },
      plugins: [names],
      options: {
        indexAxis: "y",
        animation: false,
        maintainAspectRatio: false,
        layout: { padding: { right: 150 } },
        plugins: { legend: { display: false }, tooltip: { enabled: false } },
        scales: {
          x: {
            type: scale.type,
            ...scale.limits?.([...data, ...(dots ?? []).filter(Boolean)]),
            suggestedMax: Math.max(...data, ...(marks ?? []).filter(Boolean), ...(dots ?? []).filter(Boolean)),
            grid: { color: line },
            ticks: { color: soft, callback: scale.tick },
          },
          y: { grid: { display: false }, ticks: { color: ink, autoSkip: false } },
        },
      },
    };
  }

  /** On a logarithmic axis only powers of ten have room. */
  const tick = (value) => (Number.isInteger(Math.log10(value)) ? figure(value) : "");
  /** Ratios are as far above 1 as below; times begin at nothing. */
  const ratios = {
    type: "logarithmic",
    bar: { base: 1 },
    limits: (values) => ({ min: 0.9 * Math.min(0.6, ...values) }),
    tick,
  };
  const times = { type: "linear", bar: {}, tick: figure };

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
        scale: ratios,
        texts: shown.map(({ ratio, best }) => `${figure(ratio)} × ${best.client}`),
        marks: shown.map(({ goal }) => goal),
        dots: shown.map(({ limits }) => limits.find(({ client }) => client === "hand-written")?.ratio),
      },
    );
    draw(document.getElementById("overview-chart"), 40 + 24 * shown.length, chart);
  }

  /** A table of columns, each a name and what it says of a row; those that say nothing of any are left out. */
  function tableOf(columns, rows) {
    const shown = columns.filter(([, textOf]) => rows.some((row) => textOf(row)));
    const line = (name, cells) => {
      const made = element("tr");
      for (const cell of cells) made.append(element(name, cell?.text ?? cell, cell?.className));
      return made;
    };
    const table = element("table");
    table.append(
      line(
        "th",
        shown.map(([name]) => name),
      ),
      ...rows.map((row) =>
        line(
          "td",
          shown.map(([, textOf]) => textOf(row) || ""),
        ),
      ),
    );
    const scroll = element("div", undefined, "scroll");
    scroll.append(table);
    return scroll;
  }

  const judged = (goal, passed) => {
    if (goal === undefined) return "";
    return passed
      ? { text: `${goal} passed`, className: "passed" }
      : { text: `${goal} not reached`, className: "missed" };
  };

  function fillGoals() {
    document
      .getElementById("tallies")
      .replaceChildren(
        ...results.tallies.map(({ name, reached, of }) => element("li", `${name}: ${reached} of ${of}`)),
      );
    const unit = { cpu: "µs CPU", rate: "/s", memory: "B" };
    const limit =
      (name) =>
      ({ limits, passed }) => {
        const found = passed === false && limits.find(({ client }) => client === name);
        return found && `${figure(found.ratio)} ×`;
      };
    const columns = [
      ["", ({ workload }) => workload],
      ["Leveret", ({ ours, of }) => `${figure(ours)} ${unit[of]}`],
      ["best other", ({ best }) => `${best.client}: ${figure(best.value)}`],
      ["ratio", ({ ratio }) => `${figure(ratio)} ×`],
      ["at least", ({ goal, passed }) => judged(goal, passed)],
      ["hand-written", limit("hand-written")],
      ["bare socket", limit("bare socket")],
      ["hand-written over Deno.Conn", limit("hand-written over Deno.Conn")],
      ["bare socket over Deno.Conn", limit("bare socket over Deno.Conn")],
      ["times hand-written", ({ ofLimit }) => ofLimit && `${figure(ofLimit.times)} ×`],
      ["at most", ({ ofLimit }) => judged(ofLimit?.goal, ofLimit?.passed)],
    ];
    const goals = document.getElementById("goals");
    goals.replaceChildren();
    for (const counterpart of new Set(results.verdicts.map((verdict) => verdict.counterpart))) {
      const here = results.verdicts.filter((verdict) => verdict.counterpart === counterpart);
      goals.append(element("h3", counterpart), tableOf(columns, here));
    }
  }

  function drawGrowth() {
    document.getElementById("growth").hidden = results.curves.length === 0;
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
        { scale: times, texts: cells.map(describe) },
      );
      draw(canvas, 36 + 24 * cells.length, chart);
      all.append(figuresOf(cells));
    }
  }

  /** What cells have beside their medians. */
  function figuresOf(cells) {
    const range = (spread) => `${figure(spread.least)} to ${figure(spread.most)}`;
    const middle = (spread) => figure(spread.median);
    const columns = [
      ["", ({ client }) => client],
      ["CPU, µs", ({ cpu }) => cpu && range(cpu)],
      ["of it system", ({ system }) => system && middle(system)],
      ["rate, /s", ({ rate }) => rate && range(rate)],
      ["p50, µs", ({ latency }) => latency && middle(latency.p50)],
      ["p90, µs", ({ latency }) => latency && middle(latency.p90)],
      ["p99, µs", ({ latency }) => latency && middle(latency.p99)],
      ["allocated, B", ({ allocated }) => allocated && middle(allocated)],
      // Only Node tells.
      [
        "collecting, %",
        ({ collecting, runtime }) => runtime === "node" && collecting && figure(collecting.median / 10),
      ],
      ["memory, B", ({ memory }) => memory && range(memory)],
      ["resident, B", ({ residentMemory }) => residentMemory && middle(residentMemory)],
      ["rounds", ({ rounds }) => String(rounds)],
    ];
    return tableOf(columns, cells);
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
    `${pairs.join(" · ")} · up to ${pace.rounds} rounds, each with ${pace.warmUp} ms to warm up and ${pace.measure} ms measured`;
  document.getElementById("theme").addEventListener("click", () => {
    root.classList.toggle("dark");
    drawAll();
  });
  const wanted = new URLSearchParams(location.search).get("theme");
  const dark = wanted === null ? matchMedia("(prefers-color-scheme: dark)").matches : wanted === "dark";
  root.classList.toggle("dark", dark);
  drawAll();
})();
