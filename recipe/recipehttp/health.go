package recipehttp

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// HealthConfig says when [Health] fails. The zero value works.
type HealthConfig struct {
	// Overrun is how long the work of a term, or under a lock, may go on after the end of the term
	// or the lock, when it is not ours any more. It should be longer than the work needs to notice
	// its context. Default 30 s; negative: this never fails.
	Overrun time.Duration

	// JoinWithin is how long a candidate, a call of Acquire or a member may fail to get into the
	// line, or into the group. While the ensemble is down all of them fail, so after that time
	// every process is restarted. So make it longer than the ensemble's outages. If the process has
	// other work to do, make it negative: then this never fails. Default 10 min.
	JoinWithin time.Duration

	// Errors adds the text of each recipe's last error to the answer: host names, paths, and what
	// [election.Config.Healthy] said. Default: it is not shown.
	Errors bool
}

// Health returns a handler for liveness probes: it answers 503 Service Unavailable when a restart
// of the process would help, otherwise 200 OK. It takes an [election.Election], a [lock.Lock], a
// [lock.RW], a [semaphore.Semaphore], a [group.Member], a [group.Members] or a [cache.Cache], and
// panics on anything else.
//
// Whether candidates lead does not matter. A candidate fails if
//
//   - it leads past what the lease allows: its term is over, the callback of
//     [election.Election.Run] has not returned, more than Overrun has passed since the end of the
//     term, and another may lead, because the lease has lapsed, the session or the znode is gone,
//     or the znode was given away after DrainTimeout;
//   - it has failed for more than JoinWithin to get into the line.
//
// A candidate does not fail while it waits, drains and still has the leadership, stays out of the
// line because Config.Healthy says so, or does not run. After [election.Election.Campaign] nobody
// knows whether work goes on once DrainTimeout has passed, so only Run is watched for overruns.
//
// A lock or a semaphore fails if a function that was given to Do has not returned when more than
// Overrun has passed since the lock or the permit was lost. It also fails if a call of Acquire has
// tried for more than JoinWithin to stand in line. A member fails if it has tried for more than
// JoinWithin to be listed. A list of members fails if its age is more than JoinWithin although it
// is proved all the time. A list of members, or a cache, fails if it has ended otherwise than by
// Close. A lock does not fail because others wait for it, however long. A member that was replaced
// does not fail.
//
// The answer is plain text: a verdict, and then a line for each recipe with the reason. A probe
// costs the ensemble nothing.
func Health(cfg HealthConfig, recipes ...any) http.Handler {
	cfg.Overrun = cmp.Or(cfg.Overrun, 30*time.Second)
	cfg.JoinWithin = cmp.Or(cfg.JoinWithin, 10*time.Minute)
	all := parts(recipes)
	for _, r := range all {
		cfg.judge(r, time.Now()) // if this panics, it does so now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		word, code := "ok", http.StatusOK
		var lines strings.Builder
		for _, r := range all {
			v := cfg.judge(r, time.Now())
			if !v.ok {
				word, code = "failing", http.StatusServiceUnavailable
			}
			fmt.Fprintf(&lines, "%s, %s: %s\n", v.path, clean(v.id, maxText), v.line)
			if cfg.Errors && v.err != nil {
				fmt.Fprintf(&lines, "  last error: %s\n", clean(v.err.Error(), maxError))
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "%s\n%s", word, lines.String())
		}
	})
}
