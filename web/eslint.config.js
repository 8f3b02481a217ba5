import js from "@eslint/js";
import { importX } from "eslint-plugin-import-x";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "import-x": importX },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "sort-imports": ["error", { ignoreCase: true, ignoreDeclarationSort: true }],
      "import-x/first": "error",
      "import-x/no-cycle": "error",
      "import-x/no-duplicates": "error",
      "import-x/order": ["error", { alphabetize: { order: "asc" }, "newlines-between": "never" }],
      // lib calculates, ui draws with it, a view puts both together, and views do not know each other
      "import-x/no-restricted-paths": [
        "error",
        {
          basePath: import.meta.dirname,
          zones: [
            { target: "src/lib", from: "src", except: ["lib", "types.d.ts"] },
            { target: "src/ui", from: "src/views" },
            { target: "src/views", from: "src/views" },
          ],
        },
      ],
    },
  },
  // what browsers and Node.js both have: without a DOM
  { files: ["src/lib/**"], languageOptions: { globals: globals["shared-node-browser"] } },
  {
    files: ["src/main.js", "src/ui/**", "src/views/**"],
    languageOptions: { globals: { ...globals.browser, echarts: "readonly" } },
  },
  { files: ["*.js"], languageOptions: { globals: globals.node } },
  { files: ["tests/**"], languageOptions: { globals: globals.node } },
];
