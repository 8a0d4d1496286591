import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/node_modules/", "**/*.js"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json", "../../../tests/web/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "no-restricted-globals": ["error", "process", "Buffer", "require", "eval"],
      "@typescript-eslint/consistent-type-exports": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "max-lines": ["error", { max: 400, skipBlankLines: false }],
    },
  },
  {
    // The encryption does no I/O and knows no rooms but the wire; one module knows who implements primitives.
    files: ["**/src/e2e/**", "**/src/wire/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "^@noble/", message: "Only primitives.ts knows these." },
            { regex: "^\\.\\./(?!wire/)", message: "e2e/ knows wire/ alone." },
          ],
        },
      ],
      "no-restricted-properties": [
        "error",
        { object: "crypto", property: "subtle" },
        { object: "Date", property: "now" },
        { object: "Math", property: "random" },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "AwaitExpression", message: "The encryption is synchronous." },
      ],
    },
  },
  {
    // The network side knows the wire alone; time and chance come from clock.ts.
    files: ["**/src/net/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^(?!\\./|\\.\\./wire/)", message: "net/ knows wire/ alone." }] },
      ],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now" },
        { object: "Math", property: "random" },
      ],
    },
  },
  {
    files: ["**/src/net/clock.ts"],
    rules: { "no-restricted-properties": "off" },
  },
  {
    // A file a language.
    files: ["**/src/ui/words/*.ts"],
    rules: { "max-lines": "off" },
  },
  {
    files: ["**/src/e2e/primitives.ts"],
    rules: { "no-restricted-imports": "off" },
  },
  {
    files: ["**/tests/web/**"],
    rules: {
      "no-restricted-globals": "off",
      "@typescript-eslint/explicit-module-boundary-types": "off",
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", name: ["test", "describe", "it"], package: "node:test" },
          ],
        },
      ],
    },
  },
);
