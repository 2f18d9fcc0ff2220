module goskq

go 1.19
