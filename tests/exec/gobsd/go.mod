module gobsd

go 1.19
