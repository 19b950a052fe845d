import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;

/** Puts the package and the lesson beside the page. */
function beside(): Plugin {
  const copies: [string, string[], string][] = [
    ['../pkg/web', ['tilepress.js', 'tilepress_bg.wasm', 'LICENSE-MIT', 'LICENSE-APACHE'], 'pkg'],
    ['../docs', ['lesson.md'], '.'],
  ];
  return {
    name: 'beside',
    apply: 'build',
    closeBundle() {
      for (const [from, files, to] of copies) {
        mkdirSync(join(root, 'dist', to), { recursive: true });
        for (const file of files) {
          const source = join(root, from, file);
          if (!existsSync(source)) throw new Error(`there is no ${from}/${file}: run \`cargo xtask wasm\` first`);
          copyFileSync(source, join(root, 'dist', to, file));
        }
      }
      // Vite lists what the page's own bundle holds; this is in the worker's.
      const fflate = (file: string) => readFileSync(join(root, 'node_modules/fflate', file), 'utf8');
      const { version, license } = JSON.parse(fflate('package.json')) as { version: string; license: string };
      appendFileSync(join(root, 'dist/licenses.md'), `\n## fflate - ${version} (${license})\n\n${fflate('LICENSE')}`);
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [svelte(), beside()],
  worker: { format: 'es' },
  build: { target: 'es2023', assetsInlineLimit: 0, modulePreload: { polyfill: false }, license: { fileName: 'licenses.md' } },
  test: { include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
