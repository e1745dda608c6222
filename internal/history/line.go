package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Line is one line of a history. A candidate writes some (examples/candidate), the campaign's
// nemesis the others. Which fields are set depends on Event. Of a candidate:
//
//	session    Session, TimeoutMS, LeaseMS: connected; the same session again after "suspended"
//	joined     Node, Position (how many stand ahead)
//	heir       nothing: the leader alone is ahead
//	takeover   Node: the candidate ahead was silent for longer than its lease, and this znode of it was deleted
//	withheld   Node: first in line with this znode, but one that is gone may still lead
//	elected    Token, Deadline
//	beat       Token, Deadline: this candidate led at T
//	suspended  nothing: the connection is lost, the session perhaps not
//	deposed    Token, Reason
//	leader     Leader, LeaderToken; empty and 0 when nobody leads
//	error      Error
//	left       nothing: not in line any more
//
// A contender (examples/contender) writes "acquired" instead of "elected", and "lost" or "released"
// instead of "deposed". Before, it writes "waiting", and "busy" if it does not want to wait.
// "acquired" has the Slot of a permit that has one. For several permits it has their number and
// their SlotNumbers. What is held at several paths has one line for each, with its Path. Its Node
// is that of what is held. Besides it writes
//
//	entered     Node: it waits for a permit, in the line of the semaphore
//	abandoned   Node: it does not stand there any more, and this place got it no permit
//	read        Token, Began, Found, Left: it has read the register of the lock twice: first Found,
//	            and then Left
//	writing     Token, Began, Found, Left: about to write Left into it, in place of Found
//	wrote       the same, and Outcome: ok, refused or unknown
//	downgraded  Token, Deadline: after "released", this writer is a reader
//	revoked     Token: it was asked to release the lock
//	resizing    Size: about to change how many permits there are
//	resized     Size: that has succeeded
//
// Of the nemesis, whose ID is [Nemesis]:
//
//	round      TimeoutMS (the session timeout T), LeaseMS (the lease D), Text: a history begins
//	fault      Text: something is broken, or mended
//	started    Of: a new process of this candidate; of a contender also Recipe, perhaps Path, and of
//	           a semaphore Size and Slots
//	paused     Of: every thread of it stands still (SIGSTOP)
//	continued  Of: about to go on (SIGCONT)
//	killed     Of: kill -9
//	asked      Of: about to be told to resign
//	erasing    nothing: an administrator is about to delete the whole path, record and all
//	erased     nothing: it is deleted
//	gone       Node, Ahead: somebody saw that this znode has been deleted, and that those of Ahead,
//	           older ones of the same directory, were there before and after that
//	healed     TimeoutMS (a bound): all is mended; within the bound somebody leads
//	closing    nothing: all candidates are about to be told to leave
//	departed   Of, Position: a candidate's znode has gone, and this has fired so many watches
//	trial      Node, Deadline: from T on another could hold the place of this znode, whose lease had said Deadline
//	diverged   Text: the servers' data differ, though each has caught up: the ensemble has broken its own promise
//	broken     Reason, Text: a promise that the nemesis itself saw broken; Reason is a kind of Violation
type Line struct {
	T           int64    `json:"t"` // CLOCK_MONOTONIC in ns, see Now
	ID          string   `json:"id"`
	Event       string   `json:"event"`
	Session     string   `json:"session,omitempty"`
	TimeoutMS   int64    `json:"timeout_ms,omitempty"`
	LeaseMS     int64    `json:"lease_ms,omitempty"`
	Node        string   `json:"node,omitempty"`
	Position    int      `json:"position,omitempty"`
	Token       int64    `json:"token,omitempty"`
	Path        string   `json:"path,omitempty"`     // of the lock; "" where there is only one
	Permits     int      `json:"permits,omitempty"`  // how many are held; 0: one
	Began       int64    `json:"began,omitempty"`    // when a register was read first, in T's clock
	Found       string   `json:"found,omitempty"`    // what was read in a register
	Left        string   `json:"left,omitempty"`     // what was read again, or is written
	Outcome     string   `json:"outcome,omitempty"`  // of a write
	Ahead       []string `json:"ahead,omitempty"`    // names of older znodes
	Slot        *int     `json:"slot,omitempty"`     // of a permit, by examples/contender
	SlotNumbers []int    `json:"slots,omitempty"`    // of several
	Deadline    int64    `json:"deadline,omitempty"` // when the lease ends unless it is extended, in T's clock
	Reason      string   `json:"reason,omitempty"`
	Leader      string   `json:"leader,omitempty"`
	LeaderToken int64    `json:"leader_token,omitempty"`
	Error       string   `json:"error,omitempty"`
	Of          string   `json:"of,omitempty"`
	Recipe      string   `json:"recipe,omitempty"`  // lock, read, write, semaphore
	Size        int      `json:"size,omitempty"`    // how many permits there are; 0: it is no semaphore
	Slots       bool     `json:"slotted,omitempty"` // they have slots
	Text        string   `json:"text,omitempty"`
}

// Nemesis is the ID of what breaks things. No candidate may be called so.
const Nemesis = "nemesis"

// Read reads a history, one JSON object a line.
func Read(from io.Reader) (lines []Line, err error) {
	for in := json.NewDecoder(from); ; {
		var l Line
		if err := in.Decode(&l); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, l)
	}
}

// ReadFile reads a history that Save has written.
func ReadFile(name string) ([]Line, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

// Save writes a history to a file, one JSON object a line.
func Save(name string, lines []Line) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	out := json.NewEncoder(f)
	for _, l := range lines {
		if err = out.Encode(l); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}
