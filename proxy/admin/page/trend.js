// New sessions a second of each listener in the last minutes, drawn small: where a role change has
// been one sees the gap, and whether the clients have come back.

const trendSpan = 180000; // ms

const trends = new Map(); // by listener: [{at, total, rate}], oldest first; rate: since the one before

function follow(status, at) {
  for (const name of trends.keys()) if (!(name in status.listeners)) trends.delete(name);
  for (const [name, {sessions_total: total}] of Object.entries(status.listeners)) {
    if (!isKnown(total)) continue;
    const points = trends.get(name) || [];
    const last = points[points.length - 1];
    if (last && total < last.total) points.length = 0; // another process's
    points.push({at, total, rate: last && total >= last.total && at > last.at ? 1000 * (total - last.total) / (at - last.at) : null});
    while (points[0].at < at - trendSpan) points.shift();
    trends.set(name, points);
  }
}

// A ground line from the first moment, so that nothing moves when there is more.
function trend(listener) {
  const points = (trends.get(listener) || []).filter(p => p.rate !== null);
  const most = Math.max(0, ...points.map(p => p.rate));
  const title = `new sessions a second, the last ${duration(trendSpan)}: at most ${perSecond(most)}`;
  return h("span", {class: "trend", title},
    h("svg", {viewBox: "0 0 300 30", preserveAspectRatio: "none", "aria-hidden": "true"},
      most > 0 ? trendPaths(points, most) : null));
}

function trendPaths(points, most) {
  const first = points[0], last = points[points.length - 1];
  const at = p => `${(300 * (1 - (last.at - p.at) / trendSpan)).toFixed(1)} ${(29 - 27 * p.rate / most).toFixed(1)}`;
  const line = points.map(at).join("L");
  return [h("path", {class: "area", d: `M${at({...first, rate: 0})}L${line}L${at({...last, rate: 0})}Z`}),
          h("path", {class: "line", d: "M" + line})];
}
