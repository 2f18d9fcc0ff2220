// A static FreeBSD program: printing, files, goroutines, a TCP server and its clients.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	fileBytes = 3 << 20
	workers   = 32
	clients   = 8
	lines     = 20
)

func check(what string, err error) {
	if err != nil {
		fmt.Printf("%s: FAILED: %v\n", what, err)
		os.Exit(1)
	}
}

func files() {
	dir, err := os.MkdirTemp("", "gobsd")
	check("files", err)
	data := bytes.Repeat([]byte("skep"), fileBytes/4)
	path := dir + "/data"
	check("files", os.WriteFile(path, data, 0o640))
	check("files", os.Rename(path, dir+"/moved"))
	back, err := os.ReadFile(dir + "/moved")
	check("files", err)
	if sha256.Sum256(back) != sha256.Sum256(data) {
		check("files", fmt.Errorf("read back %d bytes, not what was written", len(back)))
	}
	info, err := os.Stat(dir + "/moved")
	check("files", err)
	entries, err := os.ReadDir(dir)
	check("files", err)
	if info.Size() != fileBytes || info.Mode().Perm() != 0o640 || len(entries) != 1 || entries[0].Name() != "moved" {
		check("files", fmt.Errorf("size %d mode %v entries %v", info.Size(), info.Mode(), entries))
	}
	check("files", os.RemoveAll(dir))
	_, err = os.Stat(dir)
	if !os.IsNotExist(err) {
		check("files", fmt.Errorf("after removal: %v", err))
	}
	fmt.Println("files: ok")
}

func goroutines() {
	results := make(chan int)
	var group sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			sum := 0
			for i := 0; i < 100000; i++ {
				sum += i % (worker + 1)
			}
			time.Sleep(time.Millisecond)
			// Its own thread, so that threads are made and end.
			runtime.LockOSThread()
			results <- sum
		}(worker)
	}
	go func() { group.Wait(); close(results) }()
	total, count := 0, 0
	for sum := range results {
		total += sum
		count++
	}
	expected := 0
	for worker := 0; worker < workers; worker++ {
		for i := 0; i < 100000; i++ {
			expected += i % (worker + 1)
		}
	}
	if count != workers || total != expected {
		check("goroutines", fmt.Errorf("%d results, sum %d, expected %d", count, total, expected))
	}
	fmt.Println("goroutines: ok")
}

func serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			for scanner := bufio.NewScanner(connection); scanner.Scan(); {
				fmt.Fprintf(connection, "echo %s\n", scanner.Text())
			}
		}()
	}
}

func tcp() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check("tcp", err)
	go serve(listener)
	var group sync.WaitGroup
	for client := 0; client < clients; client++ {
		group.Add(1)
		go func(client int) {
			defer group.Done()
			connection, err := net.Dial("tcp", listener.Addr().String())
			check("tcp", err)
			defer connection.Close()
			check("tcp", connection.SetDeadline(time.Now().Add(60*time.Second)))
			reader := bufio.NewReader(connection)
			for line := 0; line < lines; line++ {
				text := fmt.Sprintf("client %d line %d", client, line)
				fmt.Fprintln(connection, text)
				answer, err := reader.ReadString('\n')
				check("tcp", err)
				if answer != "echo "+text+"\n" {
					check("tcp", fmt.Errorf("%q answered %q", text, answer))
				}
			}
		}(client)
	}
	group.Wait()
	check("tcp", listener.Close())
	fmt.Println("tcp: ok")
}

func main() {
	fmt.Printf("%s/%s\n", runtime.GOOS, runtime.GOARCH)
	files()
	goroutines()
	tcp()
}
