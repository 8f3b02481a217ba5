{{ roll_up_daily('year') }}
