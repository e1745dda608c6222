package hold

// Place is a place in the code of the servers: right before Method of Class calls a method of the
// name Call.
type Place struct {
	Name   string
	Class  string // with its package
	Method string // all methods of this name are looked through
	Call   string // must be there once; "": the beginning of Method
	Mode   string // of the servers that come by there: "leader" or "follower"; "": all
}

const server = "org.apache.zookeeper.server."

// The places that are known to matter.
var (
	// TrackerClosing lies between the instant at which a session has expired and the one from which
	// it is refused. A touch in between is accepted and does not help.
	TrackerClosing = Place{"tracker", server + "SessionTrackerImpl", "run", "setSessionClosing", "leader"}
	// LearnerTouch lies between taking the table of touches and entering one there. When a ping of
	// the leader is answered in between, the touch is lost. The thread is the one that all requests
	// of the clients pass.
	LearnerTouch = Place{"touch", server + "quorum.LearnerSessionTracker", "touchSession", "put", "follower"}
	// Request is where a follower has taken a request of a client and not yet looked at it. It has
	// read the request from the client's connection, which may be closed meanwhile. Handshakes of
	// sessions that come back are handled: other threads do that.
	Request = Place{"request", server + "quorum.FollowerRequestProcessor", "run", "authWriteRequest", "follower"}
	// PingReply lies between taking the touches and sending them to the leader. The thread is the
	// one that handles all that the leader sends.
	PingReply = Place{"ping reply", server + "quorum.Learner", "ping", "writePacket", "follower"}
	// PingLoop is where the leader is about to ping a learner. Requests are served meanwhile.
	PingLoop = Place{"ping loop", server + "quorum.Leader", "lead", "ping", "leader"}
	// Prepare is where the leader has taken a request and not yet looked at it. No write of any
	// client is carried out. The others answer reads and pings. The leader answers nothing. It is
	// reached by the next request that is a write or comes from a client of the leader's.
	Prepare = Place{"prepare", server + "PrepRequestProcessor", "run", "pRequest", "leader"}
	// Commit is where a server is about to apply a write that is committed.
	Commit = Place{"commit", server + "quorum.CommitProcessor", "run", "processWrite", ""}
	// LearnerPacket is where the leader has read a packet of a learner and not yet looked at it.
	LearnerPacket = Place{"learner packet", server + "quorum.LearnerHandler", "run", "getTickOfNextAckDeadline", "leader"}
)

// Places are all of them.
var Places = []Place{TrackerClosing, LearnerTouch, Request, PingReply, PingLoop, Prepare, Commit, LearnerPacket}
