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
	By     string // the process
	Token  int64  // its term's
	Newest int64  // the highest token that the database had seen, the own one included
}

// errStale refuses a request whose token is older than one seen before: somebody else
// leads, or has led, since that term began.
var errStale = errors.New("refused: a newer leader has been here")

// The buckets. Charges and refusals are written in the order in which they happened, and never changed: a second charge of
// an item does not hide the first. The sequence of the fence is the highest token seen.
var fenceBucket, chargeBucket, refusalBucket = []byte("fence"), []byte("charges"), []byte("refusals")

// ledger is the database: what was charged, by whom, and the fence. Its methods may be called from any goroutine; bbolt
// carries out one change at a time.
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
	err = db.Update(func(tx *bbolt.Tx) (err error) {
		for _, name := range [][]byte{fenceBucket, chargeBucket, refusalBucket} {
			_, e := tx.CreateBucket(name)
			err = errors.Join(err, e)
		}
		return err
	})
	return &ledger{db: db, items: items, fence: fence}, err
}

// due returns what is not charged yet, for the leader with that token.
func (l *ledger) due(token int64) (due []item, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		if _, stale, err := l.admit(tx, token); err != nil || stale {
			return cmp.Or(err, errStale)
		}
		charges, err := list(tx, chargeBucket)
		for _, it := range l.items {
			if !slices.ContainsFunc(charges, func(c attempt) bool { return c.item == it }) {
				due = append(due, it)
			}
		}
		return err
	})
	return due, err
}

// charge writes an attempt down: among the charges, or, if its token is stale, among the refusals. The look at the fence
// and the charge are one transaction, so no newer leader can come between them.
func (l *ledger) charge(a attempt) error {
	var refused error
	err := l.db.Update(func(tx *bbolt.Tx) error {
		bucket := chargeBucket
		newest, stale, err := l.admit(tx, a.Token)
		if err != nil {
			return err
		}
		if stale {
			bucket, refused = refusalBucket, errStale
		}
		a.Newest = newest
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		b := tx.Bucket(bucket)
		number, err := b.NextSequence()
		if err != nil {
			return err
		}
		return b.Put(binary.BigEndian.AppendUint64(nil, number), text)
	})
	return cmp.Or(err, refused)
}

// admit is the fence: it compares a token with the highest one seen, which it may raise.
func (l *ledger) admit(tx *bbolt.Tx, token int64) (newest int64, stale bool, err error) {
	fence := tx.Bucket(fenceBucket)
	if newest = int64(fence.Sequence()); token < newest {
		return newest, l.fence, nil
	}
	return token, false, fence.SetSequence(uint64(token))
}

// list returns a bucket's attempts in the order in which they were made.
func list(tx *bbolt.Tx, bucket []byte) (all []attempt, err error) {
	err = tx.Bucket(bucket).ForEach(func(_, text []byte) error {
		var a attempt
		err := json.Unmarshal(text, &a)
		all = append(all, a)
		return err
	})
	return all, err
}

// attempts returns the charges that were carried out, and those that were refused.
func (l *ledger) attempts() (charges, refusals []attempt, err error) {
	err = l.db.View(func(tx *bbolt.Tx) (err error) {
		if charges, err = list(tx, chargeBucket); err == nil {
			refusals, err = list(tx, refusalBucket)
		}
		return err
	})
	return charges, refusals, err
}

func (l *ledger) close() error { return l.db.Close() }
