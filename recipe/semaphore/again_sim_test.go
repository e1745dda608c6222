package semaphore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// What somebody has read of a path that is deleted and made again must not be written there, though
// the record may have the same version.

// holdAtRead holds all that "b" sends, from its n-th read of the record on. The channel is closed
// when it does.
func (s *stage) holdAtRead(n int) <-chan struct{} {
	held := make(chan struct{})
	s.Trap.Set(func(r zktest.Request) bool {
		if r.Host != "b" || r.Op != zktest.OpGetData || r.Path != stagePath+"/leases" {
			return false
		}
		if n--; n > 0 {
			return false
		}
		go func() {
			s.Host("b").Hold(zktest.ToServer)
			close(held)
		}()
		return true
	})
	return held
}

// record returns what the path holds.
func (s *stage) record(admin *session.Session) string {
	s.T.Helper()
	data, _, err := admin.Get(s.T.Context(), stagePath+"/leases")
	if err != nil {
		s.T.Fatal(err)
	}
	return string(data)
}

// expel deletes the permits and the record.
func (s *stage) expel(admin *session.Session) {
	s.T.Helper()
	for _, n := range s.below("leases") {
		if err := admin.Delete(s.T.Context(), n.Path, -1); err != nil {
			s.T.Fatal(err)
		}
	}
	if err := admin.Delete(s.T.Context(), stagePath+"/leases", -1); err != nil {
		s.T.Fatal(err)
	}
}

func TestASlotIsNotTakenInAPathThatWasMadeAgain(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		admin, a := s.Admin(), s.process("a", slotted)
		late, other := s.process("b", slotted), s.process("c", slotted)
		s.Session(late.client)
		s.release(a.acquire())
		s.release(s.process("plain").acquire()) // version 3
		stopped := s.holdAtRead(2)
		second := late.begin(1)
		<-stopped
		await.Sleep(50 * time.Millisecond)
		s.expel(admin)
		s.release(other.acquire())
		held := other.acquire() // version 3
		late.host.Heal()
		got := <-second // which the check compares with the other
		if got == nil {
			t.Fatalf("no permit: %q", s.record(admin))
		}
		if now := s.record(admin); held.Slot().Number() != 0 || !strings.Contains(now, "slots 0:1 1:") {
			t.Errorf("slots %d and %d: %q", held.Slot().Number(), got.Slot().Number(), now)
		}
	})
}

func TestAResizeDoesNotReachAPathThatWasMadeAgain(t *testing.T) {
	for _, nth := range []int{1, 2} { // its first read of the record, and its last
		resizeMadeAgain(t, nth)
	}
}

func resizeMadeAgain(t *testing.T, nth int) {
	onStage(t, 4, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		admin, a, late := s.Admin(), s.process("a"), s.process("b")
		s.Session(late.client)
		s.release(<-a.begin(3)) // version 1
		stopped := s.holdAtRead(nth)
		resized := make(chan error, 1)
		go func() { resized <- late.Resize(t.Context(), 3) }()
		<-stopped
		await.Sleep(50 * time.Millisecond)
		s.expel(admin)
		await.Sleep(2 * stageD)
		var unknown []*process
		for _, name := range []string{"c", "d", "e"} {
			p := s.process(name)
			p.acquire()
			unknown = append(unknown, p)
		}
		s.release(a.acquire()) // version 1
		before, made := s.record(admin), s.Commits.Len()
		late.host.Heal()
		if err := <-resized; err != nil {
			t.Fatal(err)
		}
		if now := s.record(admin); !strings.Contains(now, "\nsize 3\n") {
			t.Errorf("it has not resized: %q", now)
		}
		for _, c := range s.Commits.All()[made:] {
			for _, change := range c.Changes {
				if change.Path == stagePath+"/leases" && len(change.Data) > 0 && pathOf(string(change.Data)) != pathOf(before) {
					t.Errorf("the record was %q, and became that of the other path: %q", before, change.Data)
				}
			}
		}
		// Nobody has announced the ends of these. Their leases run still.
		for _, p := range unknown {
			p.host.Drop()
		}
		for _, n := range s.below("leases") {
			if err := admin.Delete(t.Context(), n.Path, -1); err != nil {
				t.Fatal(err)
			}
		}
		s.size = 0 // what the path holds
		f, g := s.process("f"), s.process("g")
		s.size = 4
		first, second := f.begin(1), g.begin(1)
		<-first // which look at all others
		<-second
	})
}

// pathOf returns what a record says of its path.
func pathOf(record string) string {
	_, rest, _ := strings.Cut(record, "\npath ")
	path, _, _ := strings.Cut(rest, "\n")
	return path
}

func TestTheFirstRecordDoesNotReachAPathThatWasMadeAgain(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		admin, late := s.Admin(), s.process("b")
		s.Session(late.client)
		for _, dir := range []string{"locks", "leases"} { // as Curator makes them
			if err := admin.EnsurePath(t.Context(), stagePath+"/"+dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		stopped := s.holdAtRead(2)
		second := late.begin(1)
		<-stopped
		await.Sleep(50 * time.Millisecond)
		s.expel(admin)
		sem, err := semaphore.New(s.Client("c"), stagePath, 1, semaphore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sem.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := s.record(admin)
		late.host.Heal()
		if !waits(second, stageT) {
			t.Error("two of one")
		}
		if now := s.record(admin); now != before || !strings.Contains(now, "size 1\n") {
			t.Errorf("%q became %q", before, now)
		}
	})
}

// The record tells who holds a slot. When somebody has emptied it, nobody knows that.
func TestAnEmptiedRecordGivesNoSlots(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		admin, a, b := s.Admin(), s.process("a", slotted), s.process("b", slotted)
		held := a.acquire()
		if _, err := admin.Set(t.Context(), stagePath+"/leases", nil, -1); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second finds a new record
			if p, err := b.Acquire(t.Context()); !isA[*semaphore.DataError](err) {
				t.Fatalf("%v, %v", p, err)
			}
			s.release(s.process("plain").acquire())
		}
		if !held.Valid() {
			t.Error("the holder has lost its permit")
		}
		s.release(held)
		s.none("leases")
		s.expel(admin)
		s.release(b.acquire())
	})
}
