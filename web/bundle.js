// Make the page's two scripts of their modules: node bundle.js writes them, node bundle.js --check says what differs.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SITE = fileURLToPath(new URL("../pipelines/page/site", import.meta.url));
const SCRIPTS = [
  // names stay, so that what is in the page can be read
  {
    entryPoints: ["src/main.js"],
    outfile: `${SITE}/page.js`,
    minifyWhitespace: true,
    minifySyntax: true,
    target: "es2022",
    charset: "utf8",
    // modules are strict, a script has to say so
    banner: { js: '"use strict";' },
  },
  {
    entryPoints: ["echarts.js"],
    outfile: `${SITE}/vendor/echarts.min.js`,
    minify: true,
    globalName: "echarts",
    legalComments: "eof",
    target: "es2020",
    charset: "ascii",
  },
];

const check = process.argv.includes("--check");
for (const options of SCRIPTS) {
  const { outputFiles } = await build({
    ...options,
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    bundle: true,
    format: "iife",
    write: false,
    logLevel: "warning",
  });
  const [{ path, contents }] = outputFiles;
  if (!check) writeFileSync(path, contents);
  else if (!readFileSync(path).equals(contents)) {
    console.error(`${path} is not what its modules make: make bundle`);
    process.exitCode = 1;
  }
}
