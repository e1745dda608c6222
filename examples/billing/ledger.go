package main

import (
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

// attempt is a charge as somebody has asked for it.
type attempt struct {
	item
	By    string // the process
	Token int64  // its term's
	// Newest is the highest token that the database had seen, the own one included.
	Newest int64
}

// errStale refuses a request whose token is older than one seen before: somebody else
// leads, or has led, since that term began.
var errStale = errors.New("refused: a newer leader has been here")

// The buckets. Charges and refusals are written in the order in which they happened, and
// never changed: a second charge of an item does not hide the first.
var (
	fenceBucket   = []byte("fence")    // newestKey: the highest token seen
	chargeBucket  = []byte("charges")  // attempts that were carried out, by number
	refusalBucket = []byte("refusals") // attempts that were refused, by number
)

var newestKey = []byte("newest")

// ledger is the database: what was charged, by whom, and the fence. Its methods may be
// called from any goroutine; bbolt carries out one change at a time.
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
		for _, name := range [][]byte{fenceBucket, chargeBucket, refusalBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &ledger{db: db, items: items, fence: fence}, nil
}

// due returns what is not charged yet, for the leader with that token.
func (l *ledger) due(token int64) (due []item, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		if _, stale, err := l.admit(tx, token); err != nil {
			return err
		} else if stale {
			return errStale
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

// charge writes an attempt down: among the charges, or, if its token is stale, among the
// refusals. The look at the fence and the charge are one transaction, so no newer leader
// can come between them.
func (l *ledger) charge(a attempt) error {
	stale := false
	err := l.db.Update(func(tx *bbolt.Tx) (err error) {
		if a.Newest, stale, err = l.admit(tx, a.Token); err != nil {
			return err
		}
		if stale {
			return record(tx, refusalBucket, a)
		}
		return record(tx, chargeBucket, a)
	})
	if err == nil && stale {
		return errStale
	}
	return err
}

// admit is the fence: it compares a token with the highest one seen, which it may raise.
func (l *ledger) admit(tx *bbolt.Tx, token int64) (newest int64, stale bool, err error) {
	fence := tx.Bucket(fenceBucket)
	if seen := fence.Get(newestKey); seen != nil {
		newest = int64(binary.BigEndian.Uint64(seen))
	}
	if token < newest {
		return newest, l.fence, nil
	}
	return token, false, fence.Put(newestKey, binary.BigEndian.AppendUint64(nil, uint64(token)))
}

func record(tx *bbolt.Tx, bucket []byte, a attempt) error {
	b := tx.Bucket(bucket)
	number, err := b.NextSequence()
	if err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, number), text)
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
