// goskq: a scheduled kqueue (SKQ) as a FreeBSD program with many threads sees it. Prints one line per part; the first
// thing that is not as it should be ends it.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	fkqMulti, fkqTune, fkqMPrnt        = 0x80046659, 0x8004665b, 0x2000665a
	schedRandom, schedQueue            = 0, 1
	schedCPU, schedBest                = 2, 4
	tuneFreq, tuneRTShare              = 1, 2
	evDispatch, evRealtime, evAffinity = 0x80, 0x400, 0x800
	filterUser, noteTrigger            = -11, 0x01000000
	patience                           = 120 * time.Second
)

func sched(scheduler, candidates, steal int) int {
	made := scheduler | candidates<<8
	if steal > 0 {
		made |= 1<<16 | steal<<24
	}
	return made
}

var policies = []struct {
	name  string
	value int
}{
	{"rand", sched(schedRandom, 0, 0)}, {"queue0", sched(schedQueue, 0, 0)}, {"queue2", sched(schedQueue, 2, 0)},
	{"cpu0", sched(schedCPU, 0, 0)}, {"cpu2", sched(schedCPU, 2, 0)}, {"best2", sched(schedBest, 2, 0)},
	{"ws", sched(schedRandom, 0, 1)}, {"q0_ws", sched(schedQueue, 0, 1)}, {"cpu0_ws", sched(schedCPU, 0, 1)},
	{"cpu2_ws", sched(schedCPU, 2, 1)}, {"best2_ws", sched(schedBest, 2, 1)},
}

func check(good bool, format string, a ...any) {
	if !good {
		_, _, line, _ := runtime.Caller(1)
		fmt.Printf("line %d: %s\n", line, fmt.Sprintf(format, a...))
		os.Exit(1)
	}
}

func must(err error) {
	if err != nil {
		_, _, line, _ := runtime.Caller(1)
		fmt.Printf("line %d: %v\n", line, err)
		os.Exit(1)
	}
}

type queue int

func open() queue {
	kq, err := syscall.Kqueue()
	must(err)
	return queue(kq)
}

func (q queue) ioctl(request uintptr, value int) error {
	argument := int32(value)
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(q), request, uintptr(unsafe.Pointer(&argument))); e != 0 {
		return e
	}
	return nil
}

func openScheduled(policy int) queue {
	q := open()
	must(q.ioctl(fkqMulti, policy))
	return q
}

func (q queue) change(ident int, filter int, flags uint16, fflags uint32) error {
	change := []syscall.Kevent_t{{Ident: uint64(ident), Filter: int16(filter), Flags: flags, Fflags: fflags}}
	_, err := syscall.Kevent(int(q), change, nil, nil)
	return err
}

func (q queue) trigger(ident int) { must(q.change(ident, filterUser, 0, noteTrigger)) }

func (q queue) wait(most int, limit time.Duration) ([]syscall.Kevent_t, error) {
	events := make([]syscall.Kevent_t, most)
	timeout := syscall.NsecToTimespec(int64(limit))
	for {
		n, err := syscall.Kevent(int(q), nil, events, &timeout)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		return events[:n], nil
	}
}

// A thread of the system's that ends with the function.
func thread(body func()) chan struct{} {
	ended := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		body()
	}()
	return ended
}

func refusals() {
	q := open()
	check(q.ioctl(fkqMulti, 3) == syscall.EINVAL, "no such policy")
	check(q.ioctl(fkqMulti, 2<<16) == syscall.EINVAL, "no such feature")
	must(q.ioctl(fkqMulti, sched(schedBest, 2, 1)))
	check(q.ioctl(fkqMulti, 0) == syscall.EINVAL, "twice")
	check(q.ioctl(fkqTune, tuneRTShare) == syscall.EINVAL, "a share of 0")
	check(q.ioctl(fkqTune, tuneRTShare|101<<16) == syscall.EINVAL, "a share of 101")
	check(q.ioctl(fkqTune, tuneFreq|100<<16) == syscall.EOPNOTSUPP, "FREQ")
	must(q.ioctl(fkqTune, tuneRTShare|50<<16))
	must(q.ioctl(fkqMPrnt, 0))
	plain := open()
	check(plain.change(int(q), syscall.EVFILT_READ, syscall.EV_ADD, 0) == syscall.EINVAL, "it cannot be watched")
	must(plain.change(1, filterUser, syscall.EV_ADD, 0))
	check(plain.ioctl(fkqMulti, 0) == syscall.EINVAL, "it has been used")
	check(plain.ioctl(fkqMPrnt, 0) == syscall.EINVAL, "it has no queues to show")
	check(queue(0).ioctl(fkqMulti, 0) == syscall.ENOTTY, "not a kqueue")
	syscall.Close(int(q))
	syscall.Close(int(plain))
	fmt.Println("refusals: ok")
}

// The best of all queues while nobody collects: they fill evenly.
func fairness() {
	const threads, events = 8, 803
	q := openScheduled(sched(schedBest, threads, 0))
	var begun, done sync.WaitGroup
	begin := make(chan struct{})
	var counts [threads]int
	var seen [events]atomic.Int32
	begun.Add(threads)
	done.Add(threads)
	var ends []chan struct{}
	for t := 0; t < threads; t++ {
		t := t
		ends = append(ends, thread(func() {
			list, err := q.wait(8, 0)
			must(err)
			check(len(list) == 0, "%v", list)
			begun.Done()
			<-begin
			for {
				list, err := q.wait(8, 0)
				must(err)
				if len(list) == 0 {
					break
				}
				counts[t] += len(list)
				for _, e := range list {
					seen[e.Ident].Add(1)
				}
			}
			done.Done()
			done.Wait() // whoever ends leaves what it has to others
		}))
	}
	begun.Wait()
	for i := 0; i < events; i++ {
		must(q.change(i, filterUser, syscall.EV_ADD|syscall.EV_ONESHOT, 0))
		q.trigger(i)
	}
	close(begin)
	least, most := events, 0
	for t, end := range ends {
		<-end
		if counts[t] < least {
			least = counts[t]
		}
		if counts[t] > most {
			most = counts[t]
		}
	}
	for i := range seen {
		check(seen[i].Load() == 1, "%d came %d times", i, seen[i].Load())
	}
	check(most-least <= 1, "between %d and %d events", least, most)
	syscall.Close(int(q))
	fmt.Println("fairness: ok")
}

// Threads that take bytes and end in the midst of it, another that registers, deletes and tunes, all at random: each
// byte is read once, and never do two threads have the same pipe in hand.
func brutal(policy int) {
	const threads, pipes, bytes = 8, 64, 3000
	q := openScheduled(policy)
	var in, out [pipes]int
	var pipeOf sync.Map
	var inHand [pipes]atomic.Int32
	for i := range in {
		var ends [2]int
		must(syscall.Pipe(ends[:]))
		in[i], out[i] = ends[0], ends[1]
		must(syscall.SetNonblock(in[i], true))
		pipeOf.Store(uint64(in[i]), i)
		flags := uint16(syscall.EV_ADD)
		if i%2 == 0 {
			flags |= evRealtime
		}
		must(q.change(in[i], syscall.EVFILT_READ, flags, 0))
	}
	var got atomic.Int64
	var stop atomic.Bool
	worker := func(seed int64) {
		random := rand.New(rand.NewSource(seed))
		var one [1]byte
		for !stop.Load() {
			list, err := q.wait(1+random.Intn(3), 20*time.Millisecond)
			must(err)
			if len(list) > 0 && random.Intn(16) == 0 {
				return // with work in hand
			}
			for _, e := range list {
				if e.Filter == filterUser {
					continue
				}
				number, _ := pipeOf.Load(e.Ident)
				i := number.(int)
				check(inHand[i].Add(1) == 1, "pipe %d is in two hands", i)
				n, err := syscall.Read(in[i], one[:])
				check(n == 1 && err == nil, "pipe %d: %d, %v", i, n, err)
				inHand[i].Add(-1)
				got.Add(1)
			}
		}
	}
	var all sync.WaitGroup
	all.Add(threads + 1)
	for t := int64(0); t < threads; t++ {
		go func(seed int64) {
			defer all.Done()
			for ; !stop.Load(); seed++ {
				<-thread(func() { worker(seed) })
			}
		}(t << 32)
	}
	go func() {
		defer all.Done()
		random := rand.New(rand.NewSource(7))
		for !stop.Load() {
			must(q.change(7, filterUser, syscall.EV_ADD|syscall.EV_CLEAR|uint16(random.Intn(2))*evRealtime, 0))
			q.trigger(7)
			must(q.ioctl(fkqTune, tuneRTShare|(1+random.Intn(100))<<16))
			must(q.change(7, filterUser, syscall.EV_DELETE, 0))
			time.Sleep(time.Duration(random.Intn(500)) * time.Microsecond)
		}
	}()
	random := rand.New(rand.NewSource(1))
	for i := 0; i < bytes; i++ {
		_, err := syscall.Write(out[random.Intn(pipes)], []byte{'.'})
		must(err)
	}
	for end := time.Now().Add(patience); got.Load() < bytes; time.Sleep(time.Millisecond) {
		check(time.Now().Before(end), "%d of %d bytes", got.Load(), bytes)
	}
	stop.Store(true)
	all.Wait()
	check(got.Load() == bytes, "%d of %d bytes", got.Load(), bytes)
	for i := range in {
		syscall.Close(in[i])
		syscall.Close(out[i])
	}
	syscall.Close(int(q))
}

// Closed while threads wait at it and others trigger: all of them come back.
func closing() {
	const threads = 8
	for round := 0; round < 10; round++ {
		q := openScheduled(policies[round%len(policies)].value)
		must(q.change(1, filterUser, syscall.EV_ADD|syscall.EV_CLEAR, 0))
		var ends []chan struct{}
		for t := 0; t < threads; t++ {
			ends = append(ends, thread(func() {
				for {
					list, err := q.wait(4, patience)
					if err != nil {
						check(err == syscall.EBADF, "%v", err)
						return
					}
					check(len(list) > 0, "nothing")
				}
			}))
		}
		for i := 0; i < 200; i++ {
			q.trigger(1)
		}
		must(syscall.Close(int(q)))
		for _, end := range ends {
			<-end
		}
	}
	fmt.Println("closing: ok")
}

// A thread that waits in vain, ready to steal, comes back when it said, not before.
func timeouts() {
	q := openScheduled(sched(schedRandom, 0, 1))
	done := thread(func() {
		for _, limit := range []time.Duration{time.Microsecond, time.Millisecond, 30 * time.Millisecond} {
			start := time.Now()
			list, err := q.wait(4, limit)
			must(err)
			check(len(list) == 0 && time.Since(start) >= limit, "%v after %v", list, time.Since(start))
		}
	})
	<-done
	syscall.Close(int(q))
	fmt.Println("timeouts: ok")
}

func main() {
	refusals()
	fairness()
	closing()
	timeouts()
	for _, policy := range policies {
		brutal(policy.value)
		fmt.Println("brutal:", policy.name)
	}
}
