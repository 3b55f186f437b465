// The page's security policy forbids code made from text. zod, which checks `model.json`, tries that for speed unless it
// is told not to; the browser would report the attempt as a violation. Imported before everything else.
(globalThis as { __zod_globalConfig?: object }).__zod_globalConfig = { jitless: true };

export {};
