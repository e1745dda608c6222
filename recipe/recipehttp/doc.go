// Package recipehttp shows the recipes of a process over HTTP: a handler for liveness probes, and a
// status page with JSON behind it.
//
//	page, err := recipehttp.New(recipehttp.Config{})
//	...
//	defer page.Close()
//	page.Add(el, indexLock, permits, member, members, configCache)
//	_, err = page.Observe(client, "/payroll") // an election in which this process does not stand
//	...
//	http.Handle("/status", page)
//	http.Handle("/healthz", recipehttp.Health(recipehttp.HealthConfig{}, el, indexLock, permits, member))
//
// Anybody may observe an election. So a process that stands in none only has to call Observe. Add,
// of the page or of a View, shows what only the candidate's own process knows: why its terms ended,
// and how long its lease runs. Several elections, of one client or of several, can be on one page.
// The page shows other recipes only of its own process.
//
// Programs to copy from: examples/service (with metrics and probes), examples/status (a page for
// elections of others).
//
// # Health
//
// [Health] answers 503 when a restart would help: work goes on although another may lead or hold
// the lock, or a candidate, a call of Acquire or a member cannot get into the line, or into the
// group. It does not matter which candidate leads. A short loss of connection does not matter
// either. Health is for liveness probes. A readiness probe that fails on candidates that do not
// lead would take all but one out of service.
//
// # The page
//
// One document without any other file, readable in dark and light and by screen readers: the
// leader, the heir, the line of succession with fencing tokens, the lease as a bar, who led when,
// and why terms ended; then locks and semaphores, members, groups and caches. While it is visible,
// it asks for the present state once per Config.Refresh. What it shows is about that old. Only a
// term lets a process act as a leader, never a page. If the client of the page has no permission to
// read a leader's znode, the leader is shown as hidden. Its end is seen within a quarter of the
// session timeout.
//
// It needs no path of its own: at any path it answers with the same page, or with the JSON if the
// query is ?format=json. It answers only GET and HEAD, changes nothing, and shows no credentials.
// Data of candidates and members are left out unless Config.Data is set. Anybody who may join an
// election or a group chooses names and data. So the page shows them shortened and without
// invisible characters, and never reads them as HTML. Its content security policy makes browsers
// run nothing but its own script and load nothing from anywhere. There is no authentication. If not
// everybody may see the page, wrap the handler in your own authentication.
//
// # Cost
//
// An election on a page costs the ensemble one observer: a list and two reads per change of leader
// and a small read per session timeout. While somebody looks, the line is read, one read for each
// candidate, at most once per Refresh and at no more than 100 candidates a second on average, the
// same for one viewer and for thousands. Locks, semaphores, members, groups and caches cost
// nothing, and neither does a probe of health. No recipe waits for the page or for a probe.
package recipehttp
