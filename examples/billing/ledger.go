package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// item is one thing to charge: a subscription, for a period.
type item struct{ Period, Subscription string }

func (it item) String() string { return it.Subscription + " for " + it.Period }

// attempt is a charge as somebody has asked for it, or the question what is due.
type attempt struct {
	item
	By      string // the process
	Token   int64  // its term's
	Newest  int64  // the highest token that the database had seen, the own one included
	Refused bool   // because Token was stale
}

// errStale refuses a request whose token is older than one seen before: somebody else leads, or has
// led, since that term began.
var errStale = errors.New("refused: a newer leader has been here")

// The buckets. Attempts are written in the order in which they happened, and never changed: a
// second charge of an item does not hide the first. The sequence of the fence is the highest token
// seen.
var fenceBucket, attemptBucket = []byte("fence"), []byte("attempts")

// ledger is the database: what was charged, by whom, and the fence. Its methods may be called from
// any goroutine; bbolt carries out one change at a time.
type ledger struct {
	db    *bbolt.DB
	items []item // all that is to be charged
	fence bool   // stale tokens are refused; without it one can see what happens
}

func createLedger(path string, items []item, fence bool) (*ledger, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(fenceBucket)
		_, err2 := tx.CreateBucket(attemptBucket)
		return errors.Join(err, err2)
	})
	return &ledger{db: db, items: items, fence: fence}, err
}

// due returns what is not charged yet, for the leader with that token.
func (l *ledger) due(token int64) (due []item, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		if _, stale, err := l.admit(tx, token); err != nil || stale {
			return cmp.Or(err, errStale)
		}
		charges, _, err := list(tx)
		for _, it := range l.items {
			if !slices.ContainsFunc(charges, func(c attempt) bool { return c.item == it }) {
				due = append(due, it)
			}
		}
		return err
	})
	return due, err
}

// charge carries an attempt out, or refuses it if its token is stale, and writes it down. The look
// at the fence and the charge are one transaction, so no newer leader can come between them.
func (l *ledger) charge(a attempt) error {
	err := l.db.Update(func(tx *bbolt.Tx) (err error) {
		if a.Newest, a.Refused, err = l.admit(tx, a.Token); err != nil {
			return err
		}
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		b := tx.Bucket(attemptBucket)
		number, err := b.NextSequence()
		if err != nil {
			return err
		}
		return b.Put(binary.BigEndian.AppendUint64(nil, number), text)
	})
	if err == nil && a.Refused {
		return errStale
	}
	return err
}

// admit is the fence: it compares a token with the highest one seen, which it may raise.
func (l *ledger) admit(tx *bbolt.Tx, token int64) (newest int64, stale bool, err error) {
	fence := tx.Bucket(fenceBucket)
	if newest = int64(fence.Sequence()); token < newest {
		return newest, l.fence, nil
	}
	return token, false, fence.SetSequence(uint64(token))
}

// list returns the charges that were carried out, and those that were refused, in the order in
// which they were asked for.
func list(tx *bbolt.Tx) (charges, refusals []attempt, err error) {
	err = tx.Bucket(attemptBucket).ForEach(func(_, text []byte) error {
		var a attempt
		err := json.Unmarshal(text, &a)
		if a.Refused {
			refusals = append(refusals, a)
		} else {
			charges = append(charges, a)
		}
		return err
	})
	return charges, refusals, err
}

func (l *ledger) attempts() (charges, refusals []attempt, err error) {
	err = l.db.View(func(tx *bbolt.Tx) (err error) { charges, refusals, err = list(tx); return err })
	return charges, refusals, err
}
