module gokqueue

go 1.19
