package wire

import (
	"encoding/binary"
	"math"
	"net"
)

// What zk v1.0.4 does not ask for, or only for watches of its own.
const (
	OpRemoveWatches = 18  // from 3.5.0 on
	OpSetWatches    = 101 // many at once
	OpAddWatch      = 106 // one that stays, from 3.6.0 on
)

// Own requests have numbers of their own, from firstOwn down: zk counts upwards from 1, and
// ZooKeeper keeps the numbers from -1 to -8 for itself.
const firstOwn = -1000

// Request sends a request beside those of zk and returns the error code of the reply, 0 if it
// succeeded. It returns when the reply is there, or with the connection's end. Events that the
// server sent before the reply have been handed to zk by then. sending, unless it is nil, is called
// right before the request is sent: WantsWatch is asked before for the reads that are sent before,
// and afterwards for those that are sent afterwards.
func (c *Conn) Request(op int32, body []byte, sending func()) (code int32, err error) {
	size := lengthSize + 8 + len(body)
	p := make([]byte, 0, size)
	p = binary.BigEndian.AppendUint32(p, uint32(size-lengthSize))
	answer := make(chan int32, 1)
	c.mu.Lock()
	if !c.ready {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	if c.own == nil || c.lastOwn == math.MinInt32 {
		c.own, c.lastOwn = map[int32]chan int32{}, firstOwn+1
	}
	c.lastOwn--
	xid := c.lastOwn
	c.own[xid] = answer
	c.sent = append(c.sent, request{xid: xid, op: op, size: size})
	c.mu.Unlock()
	p = binary.BigEndian.AppendUint32(p, uint32(xid))
	p = binary.BigEndian.AppendUint32(p, uint32(op))
	p = append(p, body...)
	if err := c.write(p, sending); err != nil {
		return 0, c.fail(err)
	}
	select {
	case code = <-answer:
		return code, nil
	case <-c.gone:
		return 0, net.ErrClosed
	}
}

func (c *Conn) write(p []byte, sending func()) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if sending != nil {
		sending()
	}
	_, err := c.net.Write(p)
	return err
}

// deliver hands the reply to an own request to the caller that waits for it.
func (c *Conn) deliver(xid, code int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.own[xid]; answer != nil {
		answer <- code
		delete(c.own, xid)
	}
}

// saw notes the transaction that a reply to zk has named: what zk itself counts, and sends
// with its next handshake.
func (c *Conn) saw(zxid int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zxid = max(c.zxid, zxid)
}

// Zxid returns the latest transaction that a reply to zk has named. For watches that stood on
// this connection, all events of it and of those before have been handed to zk. No server that is
// further behind takes the session back.
func (c *Conn) Zxid() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.zxid
}
