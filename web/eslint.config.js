import js from "@eslint/js";
import { importX } from "eslint-plugin-import-x";
import globals from "globals";

export default [
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["src/ui/**", "src/views/**", "src/main.js"],
    languageOptions: { globals: { ...globals.browser, echarts: "readonly" } },
  },
];
