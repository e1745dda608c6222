package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// Why a session is over, or cannot begin. Test with errors.Is.
var (
	// ErrClosed: the user has closed the client or this session, or has called Close or Stop of
	// something that uses them.
	ErrClosed = errors.New("session: closed")
	// ErrExpired: a server said that the session has expired. Its ephemeral znodes are gone or will
	// be soon.
	ErrExpired = errors.New("session: expired")
	// ErrPresumedLost: no server was reached for twice the session timeout. The session is given
	// up, and the client opens a new one.
	ErrPresumedLost = errors.New("session: presumed lost")
	// ErrReplaced: a server answered the reconnect with another session. ClickHouse Keeper does so
	// at each reconnect. A ZooKeeper server of another ensemble gives ErrExpired.
	ErrReplaced = errors.New("session: replaced by another session")
	// ErrRevoked: another session has seen no beat of this one for longer than a lease, and has
	// taken over from it.
	ErrRevoked = errors.New("session: heartbeat revoked by another session")
	// ErrNoHeartbeat: the session's heartbeat znode was deleted, or it is not known whether it was
	// created.
	ErrNoHeartbeat = errors.New("session: no heartbeat")
	// ErrAuthFailed: the ensemble rejected a credential of [Config.Auth], or all its servers
	// refused what [Config.SASL] presented. Trying again cannot help, so the client is closed.
	ErrAuthFailed = wire.ErrAuthFailed
	// ErrStray: the server refuses to delete a znode of this session. Or a create was not answered,
	// and the server does not tell whether its znode exists, or does not permit the session to use
	// its heartbeat, so that the create may still happen. The session is ended, which deletes the
	// znode. Otherwise the znode would block everybody behind it in a line.
	ErrStray = errors.New("session: a znode of the session may be left behind")
)

// ErrTooLarge is the error of a request that is longer than a server accepts (1 MiB with the
// default jute.maxbuffer). It was not sent. If the servers' jute.maxbuffer is smaller, they close
// the connection without a reason. Then the request fails with the error of the connection, which
// asks about jute.maxbuffer.
var ErrTooLarge = errors.New("session: request too large")

// ErrTooManyEphemerals is the error of a create that would give one session more ephemeral znodes
// than [Config.EphemeralBytes] allows. It was not sent. There is room again when some of the znodes
// are gone. A sequential create without an answer uses room until the session ends, because nobody
// knows the name of its znode; [Session.CreateProtected] finds it out. If one create alone needs
// more than that limit, trying again cannot help, and [Permanent] returns true for the error.
var ErrTooManyEphemerals = errors.New("session: too many ephemeral znodes in one session")

// Outcome tells what became of a request.
type Outcome int

const (
	// OutcomeDone: it was carried out.
	OutcomeDone Outcome = iota
	// OutcomeNotDone: it was not carried out and never will be.
	OutcomeNotDone
	// OutcomeUnknown: the answer was lost. The request may have been carried out, or may still be
	// carried out while the session exists.
	OutcomeUnknown
)

// String returns the outcome in words.
func (o Outcome) String() string { return enum.Name(o, []string{"done", "not done", "unknown"}) }

// Error is the error of every request. Unwrap gives the cause: an error of zk (errors.Is(err,
// zk.ErrNoNode) works), a [ServerError], a cause of the context, or the reason for which the
// session is over. A cause of the context may wrap the error of another request. If that is an
// error of zk or a ServerError, errors.Is and errors.As do not find it: this request had no answer.
type Error struct {
	// Op is the operation, in ZooKeeper's words: "create", "getData"; or "takeover", "resize".
	Op string
	// Path is the znode's path as the caller wrote it; empty for Multi.
	Path string
	// Outcome is OutcomeNotDone or OutcomeUnknown.
	Outcome Outcome
	// Err is the cause.
	Err error
}

// Error says what failed, on which znode and why.
func (e *Error) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + e.Path
	}
	if e.Outcome == OutcomeUnknown {
		s += " (outcome unknown)"
	}
	return fmt.Sprintf("session: %s: %v%s", s, e.Err, missing(e.Op, e.Err))
}

// missing names the permission that is missing if a request was refused for that reason.
func missing(op string, err error) string {
	what, ok := map[string]string{
		"create": "CREATE on its parent", "delete": "DELETE on its parent", "setData": "WRITE on it",
		"getData": "READ on it", "getChildren": "READ on it", "exists": "READ on it",
	}[op]
	if !ok || !errors.Is(err, zk.ErrNoAuth) {
		return ""
	}
	return " (it takes " + what + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// An end is the cause of a context that ended a request, or its session. errors.Is and errors.As
// find what the cause wraps, except answers: they are answers to other requests. An errgroup, for
// example, gives its context such a cause.
type end struct{ cause error }

func endOf(ctx context.Context) error { return end{context.Cause(ctx)} }

// Error returns the cause's text.
func (e end) Error() string { return e.cause.Error() }

// Is is for errors.Is.
func (e end) Is(target error) bool {
	_, answer := target.(ServerError)
	return !answer && !slices.Contains(answers, target) && errors.Is(e.cause, target)
}

// As is for errors.As.
func (e end) As(target any) bool {
	_, answer := target.(*ServerError)
	return !answer && errors.As(e.cause, target)
}

// ServerError is an error code in a server's answer for which zk v1.0.4 has no error.
type ServerError int32

// Codes of KeeperException.Code in ZooKeeper 3.8 that this package distinguishes.
const (
	codeConnectionLoss ServerError = -4
	codeMarshalling    ServerError = -5
	codeUnimplemented  ServerError = -6
	codeTimeout        ServerError = -7
	codeReadOnly       ServerError = -119
	codeLocalSession   ServerError = -120
	codeNoWatcher      ServerError = -121
	codeRequestTimeout ServerError = -122
	codeSASLRequired   ServerError = -124
	codeQuotaExceeded  ServerError = -125
	codeThrottled      ServerError = -127
)

var serverErrors = map[ServerError]struct {
	text    string
	outcome Outcome
	again   bool // the same request may succeed later
	forever bool // no such request will succeed until somebody changes the configuration
}{
	codeConnectionLoss: {"connection loss inside the ensemble", OutcomeUnknown, true, false},
	codeMarshalling:    {"the server could not process the request, see its log", OutcomeUnknown, false, false},
	codeUnimplemented:  {"operation not implemented by this server; ZooKeeper 3.4 or newer is needed", OutcomeNotDone, false, true},
	codeTimeout:        {"operation timed out", OutcomeUnknown, true, false},
	codeReadOnly:       {"the server is read-only: it has no quorum", OutcomeNotDone, true, false},
	codeLocalSession:   {"no ephemeral znodes in a local session; set localSessionsUpgradingEnabled=true on the servers", OutcomeNotDone, false, true},
	codeRequestTimeout: {"request timed out", OutcomeUnknown, true, false},
	codeSASLRequired:   {"the server takes no requests of clients that have not authenticated: see its enforce.auth.schemes and sessionRequireClientSASLAuth, and Config.SASL or Config.Auth", OutcomeNotDone, false, true},
	codeQuotaExceeded:  {"the quota of the path or of one above it is exceeded", OutcomeNotDone, false, false},
	codeThrottled:      {"throttled by the server", OutcomeNotDone, true, false},
}

// Error says what the code means if that is known.
func (e ServerError) Error() string {
	if known, ok := serverErrors[e]; ok {
		return fmt.Sprintf("%s (error %d)", known.text, int32(e))
	}
	return fmt.Sprintf("server's error %d", int32(e))
}

func (e ServerError) outcome() Outcome {
	if known, ok := serverErrors[e]; ok {
		return known.outcome
	}
	return OutcomeUnknown
}

// zkErrors has zk's errors by their codes of KeeperException.Code. If no retry can help, the error
// says what can. For zk.ErrNoAuth that depends on the operation: see missing.
var zkErrors = map[int32]error{
	-8:   fmt.Errorf("%w: use another path if this one is the servers' own; otherwise the server's log says what is wrong", zk.ErrBadArguments),
	-100: zk.ErrAPIError, -101: zk.ErrNoNode, -102: zk.ErrNoAuth, -103: zk.ErrBadVersion,
	-108: fmt.Errorf("%w: use a path that is not below an ephemeral znode", zk.ErrNoChildrenForEphemerals),
	-110: zk.ErrNodeExists, -111: zk.ErrNotEmpty, -112: zk.ErrSessionExpired,
	-114: fmt.Errorf("%w: use a scheme that the servers know, with an id of its form; the scheme auth takes Config.Auth or Config.SASL", zk.ErrInvalidACL),
	-115: fmt.Errorf("%w: check Config.Auth and Config.SASL", zk.ErrAuthFailed),
	-116: zk.ErrClosing, -117: zk.ErrNothing, -118: zk.ErrSessionMoved, -123: zk.ErrReconfigDisabled,
}

// codeError returns the error for a code in a server's answer: zk's error if zk has one, else a
// ServerError. For the code 0 it returns nil.
func codeError(code int32) error {
	if code == 0 {
		return nil
	}
	if err := zkErrors[code]; err != nil {
		return err
	}
	return ServerError(code)
}

// OutcomeOf tells what became of the request that returned err. Errors are classified here and
// nowhere else:
//
//	nil                                                      done
//	an answer about the request itself (no node, exists,     not done
//	  version, not empty, no permission, bad ACL, ...)
//	session expired or moved, as an answer                   not done
//	not implemented, quota exceeded, throttled,              not done
//	  SASL required, no ephemerals in a local session
//	refused before sending (path, flags, size)               not done
//	context or session over before sending                   not done
//	connection lost, context or session over after sending   unknown
//	any other answer (internal errors, timeouts)             unknown
//
// An error of a recipe may have a method Outcome. If an error wraps others, the outermost error
// that knows the outcome counts.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeDone
	}
	if o, ok := told(err); ok {
		return o
	}
	var code ServerError
	if errors.As(err, &code) {
		return code.outcome()
	}
	for _, known := range notDone {
		if errors.Is(err, known) {
			return OutcomeNotDone
		}
	}
	return OutcomeUnknown
}

// told returns the outcome from the outermost error that knows one. An error inside it may be about
// something else, such as the cause of a context.
func told(err error) (Outcome, bool) {
	switch e := err.(type) {
	case *Error:
		return e.Outcome, true
	case interface{ Outcome() Outcome }:
		return e.Outcome(), true
	case interface{ Unwrap() error }:
		return told(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if o, ok := told(inner); ok {
				return o, true
			}
		}
	}
	return OutcomeUnknown, false
}

var notDone = []error{
	zk.ErrNoNode, zk.ErrNoAuth, zk.ErrBadVersion, zk.ErrNoChildrenForEphemerals,
	zk.ErrNodeExists, zk.ErrNotEmpty, zk.ErrInvalidACL, zk.ErrInvalidPath,
	zk.ErrInvalidFlags, zk.ErrBadArguments, zk.ErrAuthFailed,
	zk.ErrReconfigDisabled, ErrTooLarge, ErrTooManyEphemerals,
	zk.ErrSessionExpired, zk.ErrSessionMoved,
	zk.ErrNoServer, // there was no connection to send the request on
}

// Permanent reports whether err is an answer that will be the same next time, also in another
// session: credentials or permissions are not sufficient, the path cannot hold what the request
// asks for, or the servers' configuration forbids it. Other errors may go away by themselves.
func Permanent(err error) bool {
	if errors.Is(err, ErrStray) { // the next session has no such znode
		return false
	}
	var code ServerError
	if errors.As(err, &code) {
		return serverErrors[code].forever
	}
	for _, known := range permanent {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

var permanent = []error{
	zk.ErrNoAuth, zk.ErrInvalidACL, zk.ErrAuthFailed, ErrAuthFailed, // credentials, ACL
	zk.ErrInvalidPath, zk.ErrBadArguments, zk.ErrNoChildrenForEphemerals, // path
	ErrTooLarge, zk.ErrInvalidFlags, // what is asked for is too large, or a bug
}

// answers are the errors that tell something about a request, or its connection.
var answers = append([]error{zk.ErrConnectionClosed, zk.ErrAPIError}, notDone...)

// retryable reports whether the same request may succeed later in the same session: its connection
// failed, not the request.
func retryable(err error) bool {
	var code ServerError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &code):
		return serverErrors[code].again
	case errors.Is(err, zk.ErrSessionMoved), errors.Is(err, zk.ErrNoServer):
		return true
	case errors.Is(err, zk.ErrAPIError):
		return false
	}
	return OutcomeOf(err) == OutcomeUnknown
}
