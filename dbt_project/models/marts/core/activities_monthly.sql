{{ roll_up_daily('month') }}
