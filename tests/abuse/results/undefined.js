// Nothing at all is null.
// expect: ok
// result: null
// control: returns
function run() {}
