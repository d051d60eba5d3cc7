// A top-level await that always has something left to do.
// expect: load_error
// control: stays
for (;;) await null;
export {};
