package zktest

import (
	"slices"
	"strings"
)

// Match selects requests. Fields that are zero match everything.
type Match struct {
	Op      Op
	Path    string // the path, or a prefix of it that ends in '*'; in a multi, of any of its operations
	Host    string
	Session int64
	Server  int

	// Nth selects the n-th of the requests that match otherwise, counted from 1 and from the moment
	// the rule is made. 0 selects all of them.
	Nth int
}

// Effect is what a rule does to the requests it selects.
type Effect struct {
	kind effectKind
	code Code
}

type effectKind int

const (
	pass effectKind = iota
	fail
	loseRequest
	loseReply
	dropRequest
	dropReply
	loseTouch
)

// The effects besides [Fail]. LoseRequest and LoseReply also break the connection, because a TCP
// connection that goes on loses nothing. DropRequest and DropReply leave the client waiting until
// the connection ends: servers answer in order, so to the library a missing answer is a slow one.
var (
	LoseRequest = Effect{kind: loseRequest} // not carried out; connection cut
	LoseReply   = Effect{kind: loseReply}   // carried out; connection cut instead of a reply
	DropRequest = Effect{kind: dropRequest} // not carried out, never answered
	DropReply   = Effect{kind: dropReply}   // carried out, never answered
)

// LoseTouch makes a follower answer a request, but never tell the ZooKeeper leader that it has
// heard of the request's session. Followers from 3.5.0 on do so if the thread that notes the
// session stops before a ping of the leader and goes on after the answer to the ping. Then the note
// goes into a table that has been sent already. The request, and all that come to the server behind
// it, wait for that ping, half a tick at most. A server that leads ignores it, and so does a
// connect request. Use it to see what depends on "it was answered, so the ZooKeeper leader has
// heard of us".
var LoseTouch = Effect{kind: loseTouch}

// Fail makes a request fail with code. A write is refused by the leader and consumes a zxid, as one
// that fails for a reason of its own does. After [CodeUnimplemented], in answer to a read, the
// server closes the connection.
func Fail(code Code) Effect { return Effect{kind: fail, code: code} }

// Rule is a fault that waits for requests.
type Rule struct {
	e      *Ensemble
	match  Match
	effect Effect
	seen   int
	hits   int
	fired  chan struct{}
	ended  bool
}

// On makes a rule. Requests are matched as they arrive at a server, against the oldest rule first.
// Rules stay until removed; one with an Nth is used up by its request. Besides the real operations,
// [OpConnect] matches the connect requests of sessions old and new: losing its reply means that the
// session exists without its client knowing.
func (e *Ensemble) On(m Match, effect Effect) *Rule {
	r := &Rule{e: e, match: m, effect: effect, fired: make(chan struct{})}
	e.do(func() { e.rules = append(e.rules, r) })
	return r
}

// Fired is closed when the rule has taken effect for the first time.
func (r *Rule) Fired() <-chan struct{} { return r.fired }

// Hits returns how often the rule has taken effect.
func (r *Rule) Hits() int {
	var n int
	r.e.do(func() { n = r.hits })
	return n
}

// Remove ends the rule.
func (r *Rule) Remove() {
	r.e.do(func() {
		r.ended = true
		for i, x := range r.e.rules {
			if x == r {
				r.e.rules = append(r.e.rules[:i:i], r.e.rules[i+1:]...)
				break
			}
		}
	})
}

func (m Match) matches(r Request) bool {
	return (m.Path == "" || m.about(r.Path) || slices.ContainsFunc(r.Paths, m.about)) &&
		(m.Op == 0 || m.Op == r.Op) &&
		(m.Host == "" || m.Host == r.Host) &&
		(m.Session == 0 || m.Session == r.Session) &&
		(m.Server == 0 || m.Server == r.Server)
}

// about reports whether a path is the one that is meant.
func (m Match) about(path string) bool {
	prefix, star := strings.CutSuffix(m.Path, "*")
	return path == m.Path || star && strings.HasPrefix(path, prefix)
}

// verdict is what the rules say about one request.
type verdict struct {
	e    *Ensemble
	kind effectKind
	code Code
}

func (e *Ensemble) judge(info Request) verdict {
	for _, r := range e.rules {
		if r.ended || !r.match.matches(info) {
			continue
		}
		r.seen++
		if r.match.Nth != 0 && r.seen != r.match.Nth {
			continue
		}
		r.ended = r.match.Nth != 0
		if r.hits++; r.hits == 1 {
			close(r.fired)
		}
		e.logf("fault: %v of session 0x%x: %v", info.Op, info.Session, r.effect)
		return verdict{e: e, kind: r.effect.kind, code: r.effect.code}
	}
	return verdict{}
}

// String describes the effect in the log.
func (x Effect) String() string {
	names := [...]string{"passed", "fails", "request lost", "reply lost", "request dropped", "reply dropped", "touch lost"}
	return names[x.kind]
}

// loseRequest tells whether the request ends here.
func (v verdict) loseRequest(c *conn) bool {
	if v.kind == loseRequest {
		c.reset()
	}
	return v.kind == loseRequest || v.kind == dropRequest
}

// loseReply tells whether the reply must not be sent.
func (v verdict) loseReply(c *conn) bool {
	if v.kind == loseReply {
		c.reset()
	}
	return v.kind == loseReply || v.kind == dropReply
}
