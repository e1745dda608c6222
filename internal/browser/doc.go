// Package browser drives a real browser in tests: Debian's chromium without a window, told what to
// do over the DevTools protocol. That runs over a pipe, so there is no port that others could
// connect to, and the browser ends with the process that started it.
//
//	page := browser.Open(t, server.URL)
//	page.Await(`document.querySelector("h1").textContent === "hello"`)
//	for _, complaint := range page.Complaints() { ... }
package browser
