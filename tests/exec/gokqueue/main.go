// gokqueue: every filter of kqueue(2) as a FreeBSD program sees it. Prints one line per filter; the first thing that is
// not as the manual says ends it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	noteDelete, noteWrite, noteExtend, noteAttrib, noteLink, noteRename = 1, 2, 4, 8, 0x10, 0x20
	noteExit, noteFork, noteExec                                         = 0x80000000, 0x40000000, 0x20000000
	noteMilliseconds, noteMicroseconds                                   = 2, 4
	noteTrigger, noteFFOr, noteFFCopy                                    = 0x01000000, 0x80000000, 0xc0000000
	evReceipt, evDispatch, evEOF                                         = 0x40, 0x80, 0x8000
	filterUser                                                           = -11
	patience                                                             = 60 * time.Second
)

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

func (q queue) change(ident int, filter int, flags uint16, fflags uint32, data int64) error {
	change := []syscall.Kevent_t{{Ident: uint64(ident), Filter: int16(filter), Flags: flags, Fflags: fflags, Data: data}}
	_, err := syscall.Kevent(int(q), change, nil, nil)
	return err
}

// What there is within the time; none is nil.
func (q queue) wait(limit time.Duration) []syscall.Kevent_t {
	events := make([]syscall.Kevent_t, 8)
	timeout := syscall.NsecToTimespec(int64(limit))
	for {
		n, err := syscall.Kevent(int(q), nil, events, &timeout)
		if err == syscall.EINTR {
			continue
		}
		must(err)
		return events[:n]
	}
}

func (q queue) one() syscall.Kevent_t {
	events := q.wait(patience)
	check(len(events) == 1, "%d events instead of one: %v", len(events), events)
	return events[0]
}

func (q queue) none() {
	events := q.wait(0)
	check(len(events) == 0, "unexpected %v", events)
}

func (q queue) close() { must(syscall.Close(int(q))) }

func pipes() (int, int) {
	var ends [2]int
	must(syscall.Pipe(ends[:]))
	return ends[0], ends[1]
}

func readAndWrite() {
	q := open()
	defer q.close()
	in, out := pipes()
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_ADD, 0, 0))
	must(q.change(out, syscall.EVFILT_WRITE, syscall.EV_ADD|syscall.EV_ONESHOT, 0, 0))
	e := q.one()
	check(int(e.Ident) == out && e.Filter == syscall.EVFILT_WRITE && e.Data > 0, "%v", e)
	q.none() // once
	syscall.Write(out, []byte("12345"))
	e = q.one()
	check(int(e.Ident) == in && e.Data == 5, "%v", e)
	e = q.one() // by level
	check(e.Data == 5, "%v", e)
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_DISABLE, 0, 0))
	q.none()
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_ENABLE, 0, 0))
	check(q.one().Data == 5, "enabled")
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_ADD|syscall.EV_CLEAR, 0, 0))
	check(q.one().Data == 5, "by edge")
	q.none()
	syscall.Write(out, []byte("6"))
	check(q.one().Data == 6, "another edge")
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_ADD|evDispatch, 0, 0))
	syscall.Write(out, []byte("7"))
	check(q.one().Data == 7, "dispatched")
	q.none()
	must(q.change(in, syscall.EVFILT_READ, syscall.EV_ENABLE, 0, 0))
	syscall.Close(out)
	e = q.one()
	check(e.Flags&evEOF != 0 && e.Data == 7, "%v", e)
	check(q.change(in, syscall.EVFILT_WRITE, syscall.EV_DELETE, 0, 0) == syscall.ENOENT, "nothing to delete")
	check(q.change(999, syscall.EVFILT_READ, syscall.EV_ADD, 0, 0) == syscall.EBADF, "no such descriptor")
	check(q.change(in, -99, syscall.EV_ADD, 0, 0) == syscall.EINVAL, "no such filter")
	syscall.Close(in) // its filters go with it
	q.none()
	fmt.Println("READ, WRITE: ok")
}

func vnode() {
	q := open()
	defer q.close()
	folder, err := os.MkdirTemp("", "kqueue")
	must(err)
	defer os.RemoveAll(folder)
	path := folder + "/file"
	file, err := os.Create(path)
	must(err)
	all := uint32(noteDelete | noteWrite | noteExtend | noteAttrib | noteLink | noteRename)
	must(q.change(int(file.Fd()), syscall.EVFILT_VNODE, syscall.EV_ADD|syscall.EV_CLEAR, all, 0))
	seen := func(wanted uint32) {
		e := q.one()
		check(e.Fflags&wanted == wanted, "notes %x, not %x", e.Fflags, wanted)
	}
	q.none()
	file.Write([]byte("text"))
	seen(noteWrite | noteExtend)
	must(os.Chmod(path, 0600))
	seen(noteAttrib)
	must(os.Link(path, path+"2"))
	seen(noteLink)
	must(os.Rename(path, path+"3"))
	seen(noteRename)
	must(os.Remove(path + "2"))
	must(os.Remove(path + "3"))
	seen(noteDelete)
	directory, err := os.Open(folder)
	must(err)
	must(q.change(int(directory.Fd()), syscall.EVFILT_VNODE, syscall.EV_ADD|syscall.EV_CLEAR, noteWrite, 0))
	must(os.WriteFile(folder+"/new", nil, 0600))
	check(int(q.one().Ident) == int(directory.Fd()), "the directory")
	fmt.Println("VNODE: ok")
}

func process() {
	q := open()
	defer q.close()
	start, out := pipes()
	null, err := os.Open("/dev/null")
	must(err)
	// The child waits in read(2) until it is watched, execs, and ends with 3.
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "read line; exec sh -c 'exit 3'"},
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{uintptr(start), null.Fd(), 2}})
	must(err)
	must(q.change(pid, syscall.EVFILT_PROC, syscall.EV_ADD, noteExit|noteFork|noteExec, 0))
	q.none()
	syscall.Write(out, []byte("go\n"))
	var seen uint32
	for seen&noteExit == 0 {
		e := q.one()
		check(int(e.Ident) == pid, "%v", e)
		seen |= e.Fflags
		if e.Fflags&noteExit != 0 {
			check(e.Data == 3<<8 && e.Flags&evEOF != 0, "status %x", e.Data)
		}
	}
	check(seen&noteExec != 0, "notes %x", seen)
	var status syscall.WaitStatus
	_, err = syscall.Wait4(pid, &status, 0, nil)
	must(err)
	check(status.ExitStatus() == 3, "status %v", status)
	q.none()
	check(q.change(pid, syscall.EVFILT_PROC, syscall.EV_ADD, noteExit, 0) == syscall.ESRCH, "no such process")
	fmt.Println("PROC: ok")
}

func signals() {
	q := open()
	defer q.close()
	// Counted even if ignored, as kqueue(2) says.
	must(q.change(int(syscall.SIGWINCH), syscall.EVFILT_SIGNAL, syscall.EV_ADD, 0, 0))
	q.none()
	for i := 0; i < 3; i++ {
		must(syscall.Kill(os.Getpid(), syscall.SIGWINCH))
	}
	e := q.one()
	check(syscall.Signal(e.Ident) == syscall.SIGWINCH && e.Data == 3, "%v", e)
	q.none()
	fmt.Println("SIGNAL: ok")
}

func timers() {
	q := open()
	defer q.close()
	start := time.Now()
	must(q.change(1, syscall.EVFILT_TIMER, syscall.EV_ADD|syscall.EV_ONESHOT, noteMilliseconds, 40))
	e := q.one()
	check(e.Ident == 1 && e.Data == 1 && time.Since(start) >= 39*time.Millisecond, "%v after %v", e, time.Since(start))
	q.none()
	must(q.change(2, syscall.EVFILT_TIMER, syscall.EV_ADD, noteMicroseconds, 5000))
	for total := int64(0); total < 5; {
		total += q.one().Data
	}
	must(q.change(2, syscall.EVFILT_TIMER, syscall.EV_DELETE, 0, 0))
	q.none()
	fmt.Println("TIMER: ok")
}

func user() {
	q := open()
	defer q.close()
	must(q.change(7, filterUser, syscall.EV_ADD|syscall.EV_CLEAR, noteFFCopy|1, 0))
	q.none()
	must(q.change(7, filterUser, 0, noteTrigger|noteFFOr|4, 0))
	e := q.one()
	check(e.Ident == 7 && e.Fflags == 5, "%v", e)
	q.none()
	// From another thread, while this one waits.
	go func() {
		time.Sleep(20 * time.Millisecond)
		must(q.change(7, filterUser, 0, noteTrigger, 0))
	}()
	check(q.one().Ident == 7, "triggered")
	fmt.Println("USER: ok")
}

// Many threads wait at one queue: each event reaches one of them.
func shared() {
	q := open()
	defer q.close()
	const threads, events = 8, 400
	got := make(chan uint64, events)
	for i := 0; i < threads; i++ {
		go func() {
			list := make([]syscall.Kevent_t, 4)
			for {
				n, err := syscall.Kevent(int(q), nil, list, nil)
				if err == syscall.EINTR {
					continue
				}
				if err != nil {
					return
				}
				for _, e := range list[:n] {
					got <- e.Ident
				}
			}
		}()
	}
	for i := 0; i < events; i++ {
		must(q.change(i, filterUser, syscall.EV_ADD|syscall.EV_ONESHOT, 0, 0))
		must(q.change(i, filterUser, 0, noteTrigger, 0))
	}
	seen := map[uint64]bool{}
	for i := 0; i < events; i++ {
		select {
		case ident := <-got:
			check(!seen[ident], "%d came twice", ident)
			seen[ident] = true
		case <-time.After(patience):
			check(false, "only %d of %d events", i, events)
		}
	}
	fmt.Println("shared queue: ok")
}

func receipts() {
	q := open()
	defer q.close()
	list := []syscall.Kevent_t{
		{Ident: 1, Filter: filterUser, Flags: syscall.EV_ADD | evReceipt},
		{Ident: 999, Filter: syscall.EVFILT_READ, Flags: syscall.EV_ADD},
	}
	n, err := syscall.Kevent(int(q), list, list, nil)
	must(err)
	check(n == 2 && list[0].Flags&syscall.EV_ERROR != 0 && list[0].Data == 0, "%d %v", n, list)
	check(list[1].Flags&syscall.EV_ERROR != 0 && syscall.Errno(list[1].Data) == syscall.EBADF, "%v", list)
	fmt.Println("receipts: ok")
}

func main() {
	for _, part := range []func(){readAndWrite, vnode, process, signals, timers, user, receipts, shared} {
		part()
	}
}
