// report.html of the zip: one page that stands alone.

import type { app as App } from '../app/state.svelte';
import { day } from './recorded';
import { bytes, deviation, mean, whole } from './words';

const escape = (text: string) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? '');

function table(head: string[], rows: (string | number)[][]): string {
  const cells = (tag: string, row: (string | number)[]) => `<tr>${row.map((cell) => `<${tag}>${escape(String(cell))}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
}

export function report(app: typeof App, line: string): string {
  const { found, outcome, scored, device, settings, scoredFrom, racedFrom } = app;
  const parts = [
    `<h1>${escape(found?.name ?? 'A set')}, compressed by tilepress ${escape(app.version)}</h1>`,
    `<p>Prune, Combine, Augment: ${settings.ipc} stored images of each of ${app.classes.length} classes, ${settings.grid}×${settings.grid} tiles, rule ${settings.rule}, seed ${settings.seed}. Computed in a browser on ${escape(device?.description ?? 'an unknown device')}.</p>`,
    ...(scoredFrom
      ? [`<p>The scores${outcome && racedFrom ? ' and the race' : ''} were played from a recording of ${day(scoredFrom)}, made on ${escape(scoredFrom.made.device)}.</p>`]
      : []),
    '<h2>Images</h2>',
    table(
      ['class', 'train', 'val'],
      found?.classes.map(({ name, train, val }) => [name, train, val]) ?? [],
    ),
    `<p>${whole(scored?.scores.length ?? 0)} training images of ${bytes(scored?.bytes ?? 0)} were scored over ${scored?.counted ?? 0} epochs; ${scored?.leftOut.length ?? 0} files were left out.</p>`,
  ];
  if (outcome) {
    parts.push(
      '<h2>Accuracy of the students</h2>',
      table(
        ['stored set', 'images', 'bytes', 'top-1 %', '±', 'runs'],
        outcome.stored.map(({ name, images, bytes: size }) => {
          const runs = outcome.standings.filter((standing) => standing.name === name).map(({ top1 }) => top1);
          return [`${app.title(name)} (${name})`, images, bytes(size), mean(runs).toFixed(1), deviation(runs)?.toFixed(1) ?? '', runs.map((run) => run.toFixed(1)).join(', ')];
        }),
      ),
      `<ul>${outcome.comparisons.map(({ sentence }) => `<li>${escape(sentence)}</li>`).join('')}</ul>`,
    );
  }
  parts.push('<h2>The same with the program</h2>', `<pre>${escape(line)}</pre>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(found?.name ?? 'A set')}: tilepress</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 52rem; margin: 3rem auto; padding: 0 1.25rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .35rem 1.2rem .35rem 0; border-bottom: 1px solid #8885; }
pre { overflow-x: auto; padding: 1rem; background: #8881; border-radius: 10px; }
</style></head><body>
${parts.join('\n')}
</body></html>
`;
}
