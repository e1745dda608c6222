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
// Anybody may observe an election, so a process that stands in none only has to call Observe. Add, of the
// page or of a View, shows what only the candidate's own process knows: why its terms ended, and how long
// its lease runs. Several elections, of one client or of several, can be on one page. Of the other recipes
// the page shows those of its process.
//
// Programs to copy from: examples/service (with metrics and probes), examples/status (a page for elections of others).
//
// # Health
//
// [Health] answers 503 when a restart would do good: work runs on though another may lead or hold the
// lock, or somebody cannot get into the line. Who leads does not matter to
// it. A short loss of connection does not matter either. It is for liveness; a readiness probe that
// failed on those who do not lead would take all but one out of service.
//
// # The page
//
// One document without any other file, readable in dark and light and by screen
// readers: the leader, the heir, the line of succession with fencing tokens, the lease as
// a bar, who led when, and why terms ended; then locks and semaphores, members, groups and caches. It
// asks for news once per Config.Refresh while
// it is visible. What it shows is true up to about that age: to act as a leader
// takes a term, never a page. A leader whose znode the client of the page
// must not read is shown as hidden. Its end is seen within a quarter of the session timeout.
//
// It needs no path of its own: at any path the same page answers, and ?format=json the
// JSON. It answers GET and HEAD alone, changes nothing, and shows no credentials.
// Data of candidates and members are left out unless Config.Data is set. Names and data, which anybody
// who may join an election or a group chooses, are shown shortened, without invisible characters,
// and are never read as HTML: the page's content security policy makes browsers run
// nothing but its own script and load nothing from anywhere. There is no authentication;
// wrap the handler in yours where not everybody may look.
//
// # Cost
//
// An election on a page costs the ensemble one observer: a list and two reads per
// change of leader and a small read per session timeout. While somebody looks, the line is
// read, one read for each candidate, at most once per Refresh and at no more than 100
// candidates a second on average, the same for one viewer and for thousands. Locks, semaphores,
// members, groups and caches cost nothing, and neither does a probe of health. No recipe waits for the
// page or for a probe.
package recipehttp
