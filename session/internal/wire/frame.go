package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Operation codes and reserved request numbers of the ZooKeeper protocol that this package uses
// (org.apache.zookeeper.ZooDefs.OpCode and org.apache.zookeeper.ClientCnxn in ZooKeeper 3.8).
const (
	OpCreate        = 1
	OpDelete        = 2
	OpExists        = 3
	OpGetData       = 4
	OpSetData       = 5
	OpSync          = 9
	opPing          = 11
	OpGetChildren2  = 12
	OpCheck         = 13
	opMulti         = 14
	OpRemoveWatches = 18 // from 3.5.0 on
	opAuth          = 100
	OpSetWatches    = 101 // many at once
	opSASL          = 102
	OpAddWatch      = 106 // a persistent one, from 3.6.0 on

	xidEvent = -1
	xidAuth  = -4
	xidSASL  = -opSASL // any number that zk does not use
)

const (
	lengthSize = 4  // every frame begins with its length
	headerSize = 16 // a reply begins with xid, zxid and error
	// multiHeaderSize is the size of the header before each operation of a multi and before each of
	// its results: a type, whether it is the end, an error.
	multiHeaderSize = 4 + 1 + 4
	// lastZxidSeen is the offset of that field in a connect request, after the length and the
	// version.
	lastZxidSeen = lengthSize + 4

	// errorResult is the type of every result in the reply to a multi that failed.
	errorResult = -1

	// MaxFrame is the largest frame accepted from a server. A server's own limit for requests is 1
	// MiB (jute.maxbuffer), but its answers may be larger: a list of 20,000 children with long
	// names takes 5 MiB.
	MaxFrame = 32 << 20

	// frameSize is the room for a request's bytes at first. Most requests are smaller.
	frameSize = 512
	// largeRequest is a size that a server may refuse, if somebody has set its limit.
	largeRequest = 8 << 10

	// readAhead is how much is read at once: a thousand watch events that arrive together need a
	// few reads, not two thousand.
	readAhead = 4 << 10
	// spareSize is how much memory a connection keeps for the frames that it reads.
	spareSize = 4 << 10

	// minGrant is the shortest session timeout that is accepted. Timers run at small parts of it.
	minGrant = 10 * time.Millisecond

	// A connect response has 36 bytes, or 37 with the read-only flag. The maximum leaves room for a
	// longer password.
	minConnectResponse, maxConnectResponse = 20, 256
)

// parseRequest returns the number of the request in the frame p, which begins with its length. zk
// writes every frame with a single Write. Anything else is a bug, and ends the connection.
func parseRequest(p []byte) (xid int32, err error) {
	if len(p) < lengthSize+8 || int(binary.BigEndian.Uint32(p)) != len(p)-lengthSize {
		return 0, fmt.Errorf("wire: bug: %d bytes written are not one frame", len(p))
	}
	return int32(binary.BigEndian.Uint32(p[4:])), nil
}

// authFrame encodes one credential.
func authFrame(a Auth) []byte {
	p := make([]byte, 4, 24+len(a.Scheme)+len(a.Credential))
	xid := int32(xidAuth)
	p = binary.BigEndian.AppendUint32(p, uint32(xid))
	p = binary.BigEndian.AppendUint32(p, opAuth)
	p = binary.BigEndian.AppendUint32(p, 0) // type, unused
	p = binary.BigEndian.AppendUint32(p, uint32(len(a.Scheme)))
	p = append(p, a.Scheme...)
	p = binary.BigEndian.AppendUint32(p, uint32(len(a.Credential)))
	p = append(p, a.Credential...)
	binary.BigEndian.PutUint32(p, uint32(len(p)-lengthSize))
	return p
}

// A Handshake is what the connect response says.
type Handshake struct {
	// SessionID is zero when the server says that the session has expired.
	SessionID int64
	// Timeout is what the server granted.
	Timeout time.Duration
}

// noLeaderVersion is the version in the connect response of a server of ClickHouse Keeper that has
// no leader. The session in it is -1. The version from ZooKeeper's servers is always 0.
const noLeaderVersion = 42

var errNoLeader = errors.New("the server has no leader at present (it answers as ClickHouse Keeper does then)")

// parseConnectResponse reads a connect response without its length.
func parseConnectResponse(p []byte) (h Handshake, err error) {
	if len(p) < minConnectResponse {
		return h, fmt.Errorf("%w: connect response of %d bytes", ErrProtocol, len(p))
	}
	if n := int(int32(binary.BigEndian.Uint32(p[16:]))); n < 0 || n > len(p)-minConnectResponse {
		return h, fmt.Errorf("%w: password of %d bytes in a connect response of %d", ErrProtocol, n, len(p))
	}
	switch version := int32(binary.BigEndian.Uint32(p)); {
	case version == noLeaderVersion:
		return h, errNoLeader
	case version != 0:
		return h, fmt.Errorf("%w: protocol version %d in a connect response", ErrProtocol, version)
	}
	h.Timeout = time.Duration(int32(binary.BigEndian.Uint32(p[4:]))) * time.Millisecond
	h.SessionID = int64(binary.BigEndian.Uint64(p[8:]))
	if h.SessionID != 0 && h.Timeout < minGrant {
		return h, fmt.Errorf("%w: granted session timeout of %v", ErrProtocol, h.Timeout)
	}
	return h, nil
}
