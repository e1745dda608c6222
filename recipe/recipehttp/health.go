package recipehttp

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// HealthConfig says when [Health] fails. The zero value works.
type HealthConfig struct {
	// Overrun is how long the work of a term may go on, counted from the term's end, when
	// the leadership is not ours any more. It should be longer than the work needs to
	// notice its context. Default 30 s; negative: this never fails.
	Overrun time.Duration

	// JoinWithin is how long a candidate may try in vain to get into the line. While the
	// ensemble is down nobody can, so a restart of every process follows after that time:
	// make it longer than the ensemble's outages, or negative (then this never fails)
	// where the process has other work to do. Default 10 min.
	JoinWithin time.Duration

	// Errors adds the text of each candidate's last error to the answer: host names,
	// paths, and what [election.Config.Healthy] said. Default: it is not shown.
	Errors bool
}

// Health returns a handler for liveness probes: it answers 503 Service Unavailable
// when a restart of the process would do good, else 200 OK, whether the candidates lead or
// not. A candidate fails
//
//   - that leads past what the lease allows: its term is over, the callback of
//     [election.Election.Run] has not returned, more than Overrun has passed since the end
//     of the term, and another may lead, because the lease has lapsed, the session or
//     the znode is gone, or the znode was given away after DrainTimeout;
//   - that has tried for more than JoinWithin to stand in line, in vain.
//
// Neither is failed by a candidate that waits, drains while the leadership is still its
// own, stays out of the line because Config.Healthy says so, or does not run. After
// [election.Election.Campaign] nobody knows whether work goes on once DrainTimeout has
// passed, so only Run is watched for overruns.
//
// The answer is plain text, a verdict and then a line for each candidate with the reason.
// Asking costs the ensemble nothing.
func Health(cfg HealthConfig, candidates ...*election.Election) http.Handler {
	cfg.Overrun = cmp.Or(cfg.Overrun, 30*time.Second)
	cfg.JoinWithin = cmp.Or(cfg.JoinWithin, 10*time.Minute)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		verdict, code := "ok", http.StatusOK
		var lines strings.Builder
		for _, c := range candidates {
			st := c.Status()
			line, ok := cfg.judge(st, time.Now())
			if !ok {
				verdict, code = "failing", http.StatusServiceUnavailable
			}
			fmt.Fprintf(&lines, "%s, %s: %s\n", st.Path, clean(st.ID, maxText), line)
			if cfg.Errors && st.Err != nil {
				fmt.Fprintf(&lines, "  last error: %s\n", clean(st.Err.Error(), maxError))
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "%s\n%s", verdict, lines.String())
		}
	})
}

// judge says in words how a candidate stands, and whether that is fine.
func (cfg HealthConfig) judge(st election.Status, now time.Time) (line string, ok bool) {
	in, trying := short(now.Sub(st.Since)), now.Sub(st.TryingSince)
	switch {
	case overruns(st) && cfg.Overrun >= 0 && now.Sub(st.Since) > cfg.Overrun:
		return fmt.Sprintf("FAILING: the term ended %s ago (%v), its work still runs, and another may lead", in, st.LastReason), false
	case !st.TryingSince.IsZero() && cfg.JoinWithin >= 0 && trying > cfg.JoinWithin:
		return fmt.Sprintf("FAILING: has tried to stand in line for %s, in vain", short(trying)), false
	case st.State == election.StateLeading:
		return fmt.Sprintf("leading for %s, token %d, lease %s", in, st.Token, short(st.LeaseRemaining)), true
	case st.State == election.StateDraining:
		return fmt.Sprintf("draining for %s (%v)", in, st.LastReason), true
	case !st.TryingSince.IsZero():
		return fmt.Sprintf("%v, has tried to stand in line for %s", st.State, short(trying)), true
	}
	return fmt.Sprintf("%v for %s", st.State, in), true
}

// overruns reports whether the work of a term goes on although another may lead. A term
// that was ended by choice keeps its znode, and with it the leadership, for DrainTimeout.
func overruns(st election.Status) bool {
	return st.State == election.StateDraining && (st.Node == "" || !st.LastReason.Chosen())
}

// short rounds a duration for people.
func short(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return max(d, 0).Round(time.Millisecond)
}
